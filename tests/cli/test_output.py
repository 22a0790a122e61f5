"""The file of the result: made before the dream, and nothing is replaced by mistake."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dreamlayer.files.opening import FileError
from dreamlayer.files.output import Output
from dreamlayer.files.reading import ImageFile, read

PICTURE = Image.effect_noise((40, 30), 50).convert("RGB")
SOON = 20.0  # seconds


def write(path: Path, *inputs: Path, overwrite: bool = False) -> None:
    with Output(path, ImageFile(PICTURE), inputs, overwrite=overwrite) as output:
        output.write(ImageFile(PICTURE.copy()), PICTURE, (0, 0), {})


@pytest.mark.parametrize("length", range(244, 256))
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("a" * (length - 4) + ".png")
    write(path)
    assert read(path).image.tobytes() == PICTURE.tobytes()
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_too_long_is_refused_before_the_dream(tmp_path: Path) -> None:
    for name in ("a" * 252 + ".png", "ü" * 126 + ".png", "a\0.png"):
        with pytest.raises(FileError, match="can't be written"):
            Output(tmp_path / name, ImageFile(PICTURE), [])


def hard_link(path: Path, other: Path) -> None:
    os.link(path, other)


def symbolic_link(path: Path, other: Path) -> None:
    other.symlink_to(path)


@pytest.mark.parametrize("link", [hard_link, symbolic_link])
def test_an_input_under_any_name_is_replaced_only_with_overwrite(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    source, other = tmp_path / "in.png", tmp_path / "other.png"
    PICTURE.save(source)
    before = source.read_bytes()
    link(source, other)
    for path in (source, other, tmp_path / "." / "in.png"):
        with pytest.raises(FileError, match="made from it; name another file, or add --overwrite"):
            write(path, tmp_path / "missing.png", source)
    assert source.read_bytes() == before
    write(other, source, overwrite=True)


def test_a_write_protected_file_is_replaced_only_with_overwrite_and_keeps_its_mode(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    path.chmod(0o444)
    with pytest.raises(FileError, match="write-protected; name another file, or add --overwrite"):
        write(path)
    assert path.read_bytes() == b"precious"
    write(path, overwrite=True)
    assert path.stat().st_mode & 0o777 == 0o444
    assert read(path).image.size == PICTURE.size


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_plain_file_is_replaced_and_its_mode_is_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "out.png"
    path.touch()
    path.chmod(mode)
    write(path)
    assert path.stat().st_mode & 0o777 == mode


def test_a_new_file_has_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "out.png")
    finally:
        os.umask(before)
    assert (tmp_path / "out.png").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["out.tif", "out.png", "out.webp"])
def test_a_file_of_several_pictures_is_replaced_only_with_overwrite(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    others = [PICTURE.transpose(Image.Transpose.ROTATE_180), Image.new("RGB", PICTURE.size)]
    PICTURE.save(path, save_all=True, append_images=others)
    before = path.read_bytes()
    with pytest.raises(FileError, match="holds 3 pictures"):
        write(path)
    assert path.read_bytes() == before
    write(path, overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    pipe, folder, circle = (tmp_path / f"{name}.png" for name in ("pipe", "folder", "circle"))
    os.mkfifo(pipe)
    folder.mkdir()
    circle.symlink_to(circle)
    astray = tmp_path / "astray.png"
    astray.symlink_to(tmp_path / "nowhere" / "out.png")
    before = sorted(tmp_path.iterdir())
    for path in (pipe, folder, circle, astray):
        with pytest.raises(FileError, match="can't be written"):
            write(path, overwrite=overwrite)
    assert sorted(tmp_path.iterdir()) == before
    assert pipe.is_fifo()


def test_only_what_the_command_made_is_removed(tmp_path: Path) -> None:
    others = [tmp_path / f".out.png.{number}" for number in range(os.getpid(), os.getpid() + 50)]
    for path in others:
        path.write_text("someone's")
    write(tmp_path / "out.png")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "out.png"])


def test_a_folder_that_takes_no_file_is_noticed_before_the_dream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with (
        pytest.raises(FileError, match="No space left"),
        Output(tmp_path / "out.png", ImageFile(PICTURE), []),
    ):
        pytest.fail("the dream began")


def test_a_dream_for_which_the_disk_is_full_is_saved_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    output = tmp_path / "out.png"
    output.write_bytes(b"the old one")
    with pytest.raises(FileError, match="No space left") as refusal:
        write(output)
    (saved,) = elsewhere.iterdir()
    assert str(saved) in str(refusal.value)
    assert read(saved).image.tobytes() == PICTURE.tobytes()
    assert output.read_bytes() == b"the old one"
    assert sorted(tmp_path.iterdir()) == [elsewhere, output]


SLEEPER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from dreamlayer.dreaming import in_turn
from dreamlayer.cli.main import main
def sleep(jobs, *arguments):
    for job in jobs:
        try:
            job.ask()
            print("dreaming", flush=True)
            time.sleep(60)
            yield
        finally:
            job.close()
in_turn.in_turn = sleep
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_nothing(tmp_path: Path, name: str) -> None:
    PICTURE.save(tmp_path / "in.png")
    program = [sys.executable, "-c", SLEEPER, "dream", "in.png", "-o", "out.png"]
    number = getattr(signal, name)

    with subprocess.Popen(
        program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"dreaming\n"
        assert len(list(tmp_path.iterdir())) == 2  # the result's place is made
        process.send_signal(number)
        _out, errors = process.communicate(timeout=SOON)
    assert process.returncode == (130 if name == "SIGINT" else -number)
    assert b"Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of the address space")
def test_too_little_memory_is_a_sentence(tmp_path: Path) -> None:
    Image.new("RGB", (12000, 12000)).save(tmp_path / "in.png")
    limited = f"ulimit -v 600000; exec {sys.executable} -m dreamlayer dream in.png -o out.png"
    began = time.monotonic()
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        ["sh", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=60, env=environment,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "not enough memory" in line
    assert "close other programs" in line
    assert time.monotonic() - began < SOON
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
