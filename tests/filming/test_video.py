"""Videos, with a program in ffmpeg's place that plays a film of its own, and with ffmpeg itself."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from dreamlayer.files.opening import FileError
from dreamlayer.filming import video
from dreamlayer.filming.assembling import assemble
from dreamlayer.filming.source import source_of

STAND_IN = """\
#!{python}
import sys
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(" ".join(arguments) + "\\n")
if "bad.mp4" in " ".join(arguments):
    sys.exit("bad.mp4: moov atom not found")
if "copy" in arguments and "odd.mkv" in " ".join(arguments):
    sys.exit("codec not supported in this container")
if "yuv4mpegpipe" in arguments:
    sys.stdout.buffer.write(b"YUV4MPEG2 W4 H2 F30000:1001 Ip\\nFRAME\\n" + bytes(24))
elif "image2pipe" in arguments:
    for level in (10, 20, 30):
        sys.stdout.buffer.write(b"P6\\n4 2\\n255\\n" + bytes([level]) * 24)
else:
    open(arguments[-1], "w").close()
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the program in ffmpeg's place was called with, a line a call."""
    folder, log = tmp_path / "programs", tmp_path / "log"
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(STAND_IN.format(python=sys.executable, log=str(log)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    for name in ("film.mp4", "bad.mp4", "odd.mkv"):
        Path(name).touch()
    return log


def test_a_videos_frames_come_one_by_one_from_any_number_on(log: Path) -> None:
    source = source_of(["film.mp4"], 1000, lambda names: [])
    assert source.count() is None
    assert source.rate == Fraction(30000, 1001)
    assert [frame.image.getpixel((0, 0)) for frame in source.read(1)] == [
        (10, 10, 10), (20, 20, 20), (30, 30, 30),
    ]  # fmt: skip
    (last,) = source.read(3)
    assert last.image.size == (4, 2)
    first = source.read(1)
    next(first)
    first.close()


def test_what_ffmpeg_says_is_in_the_sentence(log: Path) -> None:
    with pytest.raises(FileError, match=r"bad\.mp4: moov atom not found"):
        source_of(["bad.mp4"], 1000, lambda names: [])


def test_a_film_keeps_rate_and_sound(log: Path) -> None:
    frames = numbered(Path("frames"), 2)
    assemble(frames, Path("out.mp4"), Fraction(30000, 1001), None, Path("film.mp4"))
    call = log.read_text()
    assert "-framerate 30000/1001" in call
    assert "-map 1:a? " in call
    assert "-c:a copy" in call
    assert Path("out.mp4").exists()
    assert not list(Path().glob(".film-*"))


def test_sound_that_does_not_fit_is_encoded_again(log: Path) -> None:
    assemble(numbered(Path("frames"), 2), Path("out.mp4"), Fraction(25), None, Path("odd.mkv"))
    assert ["copy" in line for line in log.read_text().splitlines()] == [True, False]


def test_a_missing_ffmpeg_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    film = tmp_path / "film.mov"
    film.touch()
    with pytest.raises(FileError, match="ffmpeg, which is not installed"):
        source_of([str(film)], 1000, lambda names: [])
    with pytest.raises(FileError, match="ffmpeg"):
        assemble(numbered(tmp_path / "f", 1), tmp_path / "out.mp4", Fraction(24), None, None)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_real_videos_go_in_and_out(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    assemble(numbered(tmp_path / "frames", 5), path, Fraction(30000, 1001), None, None)
    assert video.rate(path) == Fraction(30000, 1001)
    seen = list(video.frames(path))
    assert [image.size for image in seen] == [(66, 50)] * 5  # even sides
    again = tmp_path / "again.webm"
    assemble(numbered(tmp_path / "frames", 5), again, Fraction(25), None, path)
    assert len(list(video.frames(again))) == 5


def numbered(folder: Path, count: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:04d}.png" for number in range(1, count + 1)]
    for number, path in enumerate(paths):
        Image.new("RGB", (65, 49), (40 * number, 90, 200)).save(path)
    return paths
