"""Commands whose standard streams are missing or can't be written, as launchers start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.test_cli import QUICK, dreamlayer

COMMAND = [sys.executable, "-m", "dreamlayer"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell closes the streams")


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose daemon is started by a command without any streams."""
    folder = tmp_path_factory.mktemp("streams") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMLAYER_HOME", str(folder))
        assert shell("<&- >&- 2>&-", "layers", "squeezenet1_1").returncode == 0
        yield folder
        assert "has stopped" in dreamlayer("stop").stdout
        assert "Traceback" not in (folder / "daemon.err").read_text()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(path)
    return path


def shell(streams: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command with the shell's redirections; stdin, stdout and stderr are pipes else."""
    script = f'exec "$@" {streams}'
    command = ["sh", "-c", script, "sh", *COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.parametrize("streams", ["2>&-", ">&-", "<&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_dream_is_written_without_streams(photo: Path, tmp_path: Path, streams: str) -> None:
    transparent = tmp_path / "in.png"
    Image.open(photo).convert("RGBA").save(transparent)  # a note about it goes to stderr
    output = tmp_path / "out.jpg"
    done = shell(streams, "dream", transparent, "-o", output, *QUICK)
    assert done.returncode == 0, done.stderr
    with Image.open(output) as image:
        image.load()  # nothing was printed into the file
        assert image.size == (64, 48)


@pytest.mark.parametrize("command", [("status",), ("presets",), ("settings",), ("models",)])
def test_other_commands_work_without_streams(command: tuple[str, ...]) -> None:
    assert shell("<&- >&- 2>&-", *command).returncode == 0
    first = shell("2>&-", *command).stdout.partition("\n")[0]
    assert first
    assert dreamlayer(*command).stdout.startswith(first)


def test_an_error_without_streams_is_an_exit_status(tmp_path: Path) -> None:
    assert shell("<&- >&- 2>&-", "dream", tmp_path / "no.png", "-o", "x.png").returncode == 1
    assert shell("2>&-", "dream").returncode == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_cant_be_written_is_told_and_the_picture_stays(
    photo: Path, tmp_path: Path, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    output = tmp_path / "out.png"
    done = shell(">/dev/full", "dream", photo, "-o", output, "--json", *QUICK)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("dreamlayer: What this command prints could not be written (")
    with Image.open(output) as image:
        assert json.loads(image.info["dreamlayer"])
    assert shell(">/dev/full", "--help").returncode == 1


def test_errors_that_cant_be_written_do_not_cost_the_picture(photo: Path, tmp_path: Path) -> None:
    transparent = tmp_path / "in.png"
    Image.open(photo).convert("RGBA").save(transparent)
    done = shell("2>/dev/full", "dream", transparent, "-o", tmp_path / "out.jpg", *QUICK)
    assert done.returncode == 0
    assert "out.jpg" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_failure(photo: Path, tmp_path: Path) -> None:
    script = '"$@" | true; exit ${PIPESTATUS[0]}'
    command = [*COMMAND, "dream", str(photo), "-o", str(tmp_path / "out.png"), *QUICK]
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.png").exists()
