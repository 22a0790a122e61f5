"""Many pictures in one command, with a daemon whose dreams add one to each byte."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlayer.cli.main import main
from dreamlayer.dreaming import in_turn
from dreamlayer.dreaming.file_job import FileJob
from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.session.dream import Dream
from tests.server.daemons import SOON, Daemon, ask, daemon_at, wait_until

QUICK = ("--channels", "1", "--seed", "7")  # one tile
REFUSED = ("--channels", "901")  # by the studio


@pytest.fixture(scope="module", autouse=True)
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("daemon") / "home"
    # Nothing is cancelled unless it is asked for.
    with daemon_at(home, DREAMLAYER_TEST_TILE="0.01", DREAMLAYER_GRACE="60") as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with five pictures of different levels and sizes; its parent is the current one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(5):
        Image.new("RGB", (8 + i, 6), (i, i, i)).save(folder / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return folder


def dream(*arguments: str) -> int:
    return main(["dream", *arguments])


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def level(path: str) -> int:
    with Image.open(path) as image:
        (low, high), *_others = image.getextrema()
    assert low == high
    return int(low)


def test_every_picture_is_dreamed_in_order_and_summed_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dream("photos", "-o", "out/{name}.png", *QUICK) == 0
    said = capsys.readouterr()
    assert said.err == ""
    *lines, summary = said.out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        str(Path("out", f"{i}.png")) for i in range(5)
    ]
    assert summary.startswith("5 of 5 pictures are dreamed, in ")
    assert [level(f"out/{i}.png") for i in range(5)] == [1, 2, 3, 4, 5]
    assert names("out") == [f"{i}.png" for i in range(5)]


def test_each_file_is_that_of_a_command_of_its_own(photos: Path) -> None:
    select = ("--select", "2,1,4,3", "--strength", "0.5")
    assert dream("photos", "-o", "out/{name}.png", *QUICK, *select) == 0
    for path in photos.iterdir():
        assert dream(str(path), "-o", "one.png", *QUICK, *select) == 0
        assert Path("one.png").read_bytes() == Path("out", path.name).read_bytes()


def test_errors_come_at_the_end_and_the_others_go_on(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "1.png").write_text("no picture")
    (photos / "3.png").write_bytes((photos / "4.png").read_bytes()[:45])
    assert dream("photos", "none.png", "-o", "out/{name}.png", *QUICK) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("3 of 6 pictures are dreamed")
    errors = said.err.splitlines()
    assert len(errors) == 3
    for line, words in zip(errors, ("1.png is not a", "3.png is damaged", "no file"), strict=True):
        assert words in line
    assert names("out") == ["0.png", "2.png", "4.png"]


def test_what_all_fail_of_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert dream("photos", "-o", "out/{name}.png", *REFUSED) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("0 of 5 pictures")
    (line,) = said.err.splitlines()
    assert "2.png and 2 more: This layer has only 512 channels" in line
    assert names("out") == []


def test_a_mask_counts_for_pictures_of_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    levels = np.zeros((6, 8), np.uint8)
    levels[2:4, 2:5] = 255
    Image.fromarray(levels).save("mask.png")
    pictures = ("photos/0.png", "photos/1.png")
    assert dream(*pictures, "-o", "out/{name}.png", *QUICK, "--mask", "mask.png") == 1
    assert "The mask mask.png has 8 × 6 pixels" in capsys.readouterr().err
    with Image.open("out/0.png") as image:
        assert set(np.asarray(image)[levels > 0].ravel()) == {1}
    assert dream(*pictures, "-o", "x/{name}.png", *QUICK, "--mask", "none.png") == 1
    assert capsys.readouterr().err.count("no file") == 1
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("out.png", "would both be dreamed to"), ("photos/{n}.png", "is to be dreamed on"),
        ("out/{name}.xyz", "its name must end in"), ("out/{name}", "its name must end in"),
    ],
)  # fmt: skip
def test_impossible_outputs_are_refused_before_anything_is_dreamed(
    output: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dream("photos", "-o", output, *QUICK) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert [path.name for path in Path().iterdir()] == ["photos"]


def test_a_picture_is_replaced_by_its_own_dream_only_if_told_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = ("photos", "-o", "photos/{name}.{ext}", *QUICK)
    assert dream(*own) == 1
    assert "add --overwrite" in capsys.readouterr().err
    assert [level(f"photos/{i}.png") for i in range(5)] == [0, 1, 2, 3, 4]
    assert dream(*own, "--overwrite") == 0
    assert [level(f"photos/{i}.png") for i in range(5)] == [1, 2, 3, 4, 5]


def test_results_that_are_there_are_skipped_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    Path("out/3.png").write_text("kept")
    assert dream("photos", "-o", "out/{name}.png", *QUICK, "--skip-existing") == 0
    assert "4 of 4 pictures are dreamed" in (said := capsys.readouterr().out)
    assert ", 1 skipped" in said
    assert Path("out/3.png").read_text() == "kept"
    assert dream("photos", "-o", "out/{name}.png", *QUICK) == 0
    assert level("out/3.png") == 4


def test_losses_of_many_pictures_are_one_note(capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        Image.new("RGBA", (8, 8), (1, 2, 3, 128)).save(f"photos/{i}.png")
    assert dream("photos", "-o", "out/{name}.jpg", *QUICK) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "2.png and 1 more: JPEG has no transparency" in line


def test_json_is_a_line_a_picture_with_its_error(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "1.png").write_text("no picture")
    assert dream("photos", "-o", "out/{name}.png", *QUICK, "--json") == 1
    said = capsys.readouterr()
    told = [json.loads(line) for line in said.out.splitlines()]
    assert [Path(row["input"]).name for row in told] == [f"{i}.png" for i in range(5)]
    assert "not a picture" in told[1]["error"]
    assert told[4]["output"] == str(Path("out", "4.png"))
    assert told[4]["gain"] == 2.0
    assert "4 of 5 pictures" in said.err


def test_no_more_than_a_few_pictures_are_read_ahead(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three, or as many as have together the bytes that are allowed."""
    from dreamlayer.dreaming.file_job import FileJob

    held: list[int] = []
    most: list[int] = []
    read, close = FileJob.ask, FileJob.close
    monkeypatch.setattr(
        FileJob, "ask", lambda job: (held.append(1), most.append(len(held)), read(job))[2]
    )
    monkeypatch.setattr(FileJob, "close", lambda job: (held and held.pop(), close(job))[1])
    assert dream("photos", "-o", "out/{name}.png", *QUICK) == 0
    assert (max(most), held) == (3, [])
    most.clear()
    monkeypatch.setattr(in_turn, "AHEAD_BYTES", 1)
    assert dream("photos", "-o", "out/{name}.png", *QUICK) == 0
    assert max(most) == 1


def test_the_daemon_has_the_next_dream_before_one_is_done(daemon: Daemon) -> None:
    command = [sys.executable, "-m", "dreamlayer", "dream", "photos", "-o", "out/{name}.png"]
    with (
        contextlib.closing(daemon.connect()) as asker,
        subprocess.Popen([*command, "--channels", "800"], stderr=subprocess.PIPE) as dreaming,
    ):
        wait_until(lambda: len(ask(asker, "status")["jobs"]) == 3)
        # Ctrl-C, also where a shell lets processes in the background ignore it.
        dreaming.send_signal(signal.SIGTERM)
        dreaming.communicate(timeout=SOON)
        wait_until(lambda: ask(asker, "status")["jobs"] == [])
    assert dreaming.returncode == -signal.SIGTERM
    assert names("out") == []


def test_what_is_done_stays_after_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish, finished = FileJob.finish, list[FileJob]()

    def interrupted(job: FileJob, done: Dream) -> StoredRecipe:
        if len(finished) == 2:
            raise KeyboardInterrupt
        finished.append(job)
        return finish(job, done)

    monkeypatch.setattr(FileJob, "finish", interrupted)
    assert dream("photos", "-o", "out/{name}.png", *QUICK) == 130
    assert "2 of 5 pictures are dreamed" in (said := capsys.readouterr().out)
    assert "--skip-existing" in said
    assert names("out") == ["0.png", "1.png"]
