"""Commands in odd environments: folders, locale, terminal, limits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dreamlayer.cli.main import main
from dreamlayer.doctor import anonymous
from dreamlink.client import discovery, launch
from dreamlink.client.client import LinkError
from install import installer
from tests.cli.test_cli import QUICK, dreamlayer
from tests.server.daemons import FAKE, SOON

COMMAND = [sys.executable, "-m", "dreamlayer"]
posix = pytest.mark.skipif(os.name != "posix", reason="paths and limits of Unix")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environment")


@pytest.fixture(scope="module", autouse=True)
def home(folder: Path) -> Iterator[Path]:
    """A folder whose name is no UTF-8, with a daemon for the commands here."""
    home = folder / (os.fsdecode(b"h\xff\xfe\nme") if sys.platform == "linux" else "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMLAYER_HOME", str(home))
        patch.setattr(launch, "STARTING", "")
        yield home
        assert dreamlayer("stop").returncode == 0


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "bild ü 画.png"
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(path)
    return path


def run(*command: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=180, check=False,
        encoding="utf-8", errors="replace", env={**os.environ, **environ},
    )  # fmt: skip


def one_sentence(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    lines = [line for line in done.stderr.splitlines() if launch.STARTING not in line or not line]
    assert done.stderr.startswith("dreamlayer: "), done.stderr
    assert words in done.stderr
    assert len(lines) <= 1
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


# Dreamlayer's folder.


@posix
@pytest.mark.parametrize("relative", ["rel", "./a/../rel", "~/rel", "~nobody-here/rel"])
def test_a_relative_folder_is_the_same_for_the_command_and_its_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DREAMLAYER_HOME", relative)
    monkeypatch.chdir(tmp_path)
    discovery._absolute.cache_clear()
    client = launch.connect(FAKE)
    monkeypatch.chdir("/")  # a host may go elsewhere
    assert discovery.home().resolve().is_relative_to(tmp_path.resolve())
    assert (discovery.home() / "daemon.json").exists()
    assert discovery.find() is not None
    client.send({"op": "stop", "id": "x"})
    client.receive(SOON)
    client.close()


def test_an_empty_variable_means_the_usual_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("SNAP_REAL_HOME", raising=False)
    monkeypatch.setenv("DREAMLAYER_HOME", "")
    assert discovery.home().is_relative_to(tmp_path)


@posix
@pytest.mark.parametrize(
    ("place", "words"),
    [("file", "can't be created"), ("file/below", "can't be created"), ("/dev/full", "can't be"),
     ("d" * 4000, "can't be created"), ("d/" * 3000, "can't be created")],
)  # fmt: skip
@pytest.mark.parametrize(
    "command", [("layers", "squeezenet1_1"), ("settings", "threads", "2"), ("keys", "make")]
)
def test_a_folder_that_can_not_be_made_is_told(
    tmp_path: Path, command: tuple[str, ...], place: str, words: str
) -> None:
    (tmp_path / "file").touch()
    done = run(*COMMAND, *command, DREAMLAYER_HOME=str(tmp_path / place))
    one_sentence(done, words if command[0] == "layers" else "")
    assert run(*COMMAND, "status", DREAMLAYER_HOME=str(tmp_path / place)).returncode == 0


def nowhere() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_user_without_a_home_folder_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DREAMLAYER_HOME")
    monkeypatch.delenv("SNAP_REAL_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    for command in (["layers", "x"], ["settings"], ["models"], ["keys", "show"], ["serve"]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert said.startswith("dreamlayer: Your user account has no home folder: set ")
        assert said.count("\n") == 1
    with pytest.raises(LinkError, match="no home folder"):
        launch.connect()
    assert discovery.find() is None
    assert anonymous.anonymous("nothing to hide") == "nothing to hide"
    assert installer.main(Path(), ["--check"]) == 1
    assert "no home folder" in capsys.readouterr().err


def test_the_installer_says_that_it_needs_a_home_folder_for_the_plug_ins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Path, "home", nowhere)
    assert installer.main(tmp_path, ["--check"]) == 1
    assert "set the environment variable HOME" in capsys.readouterr().err


@posix
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("small disks can't be made here")
    try:
        script = f"head -c 70000 /dev/zero > {disk}/fill"
        subprocess.run(["sh", "-c", script], capture_output=True, check=False)
        done = run(*COMMAND, "layers", "squeezenet1_1", DREAMLAYER_HOME=str(disk / "home"))
        assert done.returncode == 1
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        done = run(*COMMAND, "settings", "threads", "2", DREAMLAYER_HOME=str(disk / "home"))
        one_sentence(done, "No space left")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = run(*COMMAND, "settings", "threads", "2", DREAMLAYER_HOME=str(disk / "home"))
        one_sentence(done, "Read-only")
    finally:
        subprocess.run(["umount", disk], check=True)


# Locale, terminal, current folder, limits.


@pytest.mark.parametrize(
    "environ",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX"},
     {"PYTHONIOENCODING": "ascii:strict"}, {"TERM": "dumb", "COLUMNS": "1"}, {"COLUMNS": "0"},
     {"TZ": "no/where", "TMPDIR": "/nowhere", "OMP_NUM_THREADS": "x"}],
)  # fmt: skip
def test_names_that_the_locale_lacks_and_odd_variables(
    photo: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    output = tmp_path / "aus ü 画.png"
    done = run(*COMMAND, "dream", photo, "-o", output, *QUICK, **environ)
    assert done.returncode == 0, done.stderr
    assert output.exists()
    for command in (["presets"], ["dream", "--help"]):
        assert run(*COMMAND, *command, **environ).returncode == 0


@posix
def test_a_current_folder_that_is_gone(photo: Path, tmp_path: Path) -> None:
    script = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    gone = ["sh", "-c", script, str(tmp_path / "gone"), *COMMAND]
    assert run(*gone, "dream", photo, "-o", tmp_path / "out.png", *QUICK).returncode == 0
    one_sentence(run(*gone, "dream", photo, "-o", "out.png", *QUICK), "")
    relative = run(*gone, "layers", "x", DREAMLAYER_HOME="rel")
    one_sentence(relative, "the current folder does not exist any more")
    assert run(*gone, "status", DREAMLAYER_HOME="rel").returncode == 0


@posix
@pytest.mark.slow
def test_the_doctor_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    script = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    done = run("sh", "-c", script, tmp_path / "gone", *COMMAND, "doctor")
    assert "Test dream: " in done.stdout, done.stderr


@posix
@pytest.mark.parametrize("files", [20, 8, 5])
def test_few_open_files(photo: Path, tmp_path: Path, files: int) -> None:
    script = f'ulimit -n {files}; exec "$@"'
    command = ["sh", "-c", script, "sh", *COMMAND, "dream", photo, "-o", tmp_path / "out.png"]
    done = run(*command, *QUICK)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or done.stderr.count("\n") == 1


def test_a_report_can_be_written_whatever_the_folder_is_called(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamlayer.cli import doctor
    from dreamlayer.doctor.findings import ok

    monkeypatch.setattr(doctor, "_checks", lambda: iter([ok(f"Elsewhere: {home}x")]))
    assert main(["doctor", "--report", str(tmp_path / "report.txt")]) == 0
    assert "Elsewhere" in (tmp_path / "report.txt").read_text()
