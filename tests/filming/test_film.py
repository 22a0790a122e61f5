"""`dreamlayer film`: shots alone and films interrupted have the bytes of the whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlayer.cli.main import main
from dreamlayer.filming import shooting
from dreamlayer.studio.local import LocalStudio

FAST = ("--layer", "features.3", "--octaves", "2", "--steps", "2", "--seed", "4", "--no-roll")
COUNT = 6


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStudio]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMLAYER_HOME", str(tmp_path_factory.mktemp("home")))
        yield LocalStudio()


@pytest.fixture(autouse=True)
def film(studio: LocalStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with six frames of a picture that moves; its parent is the current folder."""
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("dreamlayer.server.main.local_studio", lambda _settings: studio)
    folder = tmp_path / "film"
    folder.mkdir()
    for number in range(1, COUNT + 1):
        picture(number).save(folder / f"f{number + 7}.png")  # f8 … f13: not in their letters' order
    monkeypatch.chdir(tmp_path)
    return folder


def picture(number: int) -> Image.Image:
    with Image.open(Path(__file__).parents[1] / "pictures" / "chelsea.png") as photo:
        left = 100 + 2 * number
        return photo.convert("RGB").crop((left, 60, left + 64, 108))


def dream(*arguments: str) -> int:
    return main(["film", *arguments, *FAST])


def frames(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.png"))}


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_a_film_is_numbered_frames_in_natural_order(film: Path) -> None:
    assert dream("film", "-o", "out") == 0
    assert list(frames("out")) == [f"{number:04d}.png" for number in range(1, COUNT + 1)]
    for number in range(1, COUNT + 1):
        change = np.abs(pixels(f"out/{number:04d}.png") - pixels(film / f"f{number + 7}.png"))
        others = np.abs(pixels(f"out/{number:04d}.png") - pixels(film / f"f{(number % 6) + 8}.png"))
        assert 0 < change.mean() < others.mean()


def test_a_pattern_names_the_frames_too(film: Path) -> None:
    assert dream("film", "-o", "one", "--cuts", "none") == 0
    assert dream("film/f*.png", "-o", "two", "--cuts", "none") == 0
    assert frames("one") == frames("two")


def test_frames_go_on_from_each_other_unless_nothing_is_carried(film: Path) -> None:
    assert dream("film", "-o", "carried") == 0
    assert dream("film", "-o", "each", "--carry", "0") == 0
    shutil.rmtree(film)
    film.mkdir()
    for number in (3, 4):
        picture(number).save(film / f"{number}.png")
    assert dream("film", "-o", "later", "--carry", "0") == 0
    assert frames("each")["0003.png"] == frames("later")["0001.png"]
    assert frames("carried")["0001.png"] == frames("each")["0001.png"]
    assert frames("carried")["0003.png"] != frames("each")["0003.png"]


def test_a_shot_alone_has_the_bytes_of_the_whole(film: Path) -> None:
    assert dream("film", "-o", "whole", "--cuts", "4") == 0
    assert dream("film", "-o", "parts", "--cuts", "4", "--shot", "2", "--of", "2") == 0
    assert list(frames("parts")) == ["0004.png", "0005.png", "0006.png"]
    assert dream("film", "-o", "parts", "--cuts", "4", "--shot", "1", "--of", "2") == 0
    assert frames("parts") == frames("whole")
    assert dream("film", "-o", "uncut", "--cuts", "none") == 0
    assert frames("uncut")["0004.png"] != frames("whole")["0004.png"]


def test_an_interrupted_film_goes_on_to_the_same_bytes(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dream("film", "-o", "whole") == 0
    original = shooting.ShotState.save
    stops = [1, 3, 5]

    def killed(state: shooting.ShotState, path: Path) -> None:
        if stops and state.frame == stops[0]:
            stops.pop(0)
            raise KeyboardInterrupt  # a frame is in its place, and what goes on from it is not
        original(state, path)

    monkeypatch.setattr(shooting.ShotState, "save", killed)
    while stops:
        assert dream("film", "-o", "out", "--resume") == 130
    assert dream("film", "-o", "out", "--resume") == 0
    assert frames("out") == frames("whole")


def test_frames_that_are_done_are_not_dreamed_again(
    film: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dream("film", "-o", "out") == 0
    before = {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    assert dream("film", "-o", "out", "--resume") == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    Path("out/0003.png").unlink()
    assert dream("film", "-o", "out", "--resume") == 0
    assert len(frames("out")) == COUNT


def test_frames_of_another_recipe_are_not_gone_on_with(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dream("film", "-o", "out") == 0
    assert main(["film", "film", "-o", "out", "--resume", *FAST, "--steps", "3"]) == 1
    assert "--resume" in capsys.readouterr().err
    assert main(["film", "film", "-o", "out", *FAST, "--steps", "3"]) == 0


def test_without_a_seed_all_computers_take_the_same(film: Path) -> None:
    unseeded = [word for word in FAST if word not in ("--seed", "4")]
    for folder in ("one", "two"):
        command = ["film", "film", "-o", folder, *unseeded, "--cuts", "3", "--shot", "1"]
        assert main(command) == 0
    assert frames("one") == frames("two")


def test_a_dive_enlarges_each_frame_and_goes_on_too(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(1).save("photo.png")
    assert dream("photo.png", "-o", "dive", "--zoom", "1.1", "--frames", "4") == 0
    still = ("--zoom", "1.1", "--frames", "4", "--strength", "0")  # nothing is seen of the dream
    assert dream("photo.png", "-o", "still", *still) == 0
    expected = picture(1).crop((8, 6, 56, 42)).resize((64, 48), Image.Resampling.BICUBIC)
    far = np.abs(pixels("still/0004.png") - np.asarray(expected, int)).mean()
    assert np.abs(pixels("still/0004.png") - pixels("photo.png")).mean() > 2 * far
    original = shooting.ShotState.save

    def killed(state: shooting.ShotState, path: Path) -> None:
        original(state, path)
        if state.frame == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(shooting.ShotState, "save", killed)
    again = ("photo.png", "-o", "again", "--zoom", "1.1", "--frames", "4", "--resume")
    assert dream(*again) == 130
    assert dream(*again) == 0
    assert frames("again") == frames("dive")


@pytest.mark.parametrize("ending", ["gif", "webp", "apng"])
def test_an_animation_in_and_out_keeps_its_times(film: Path, ending: str) -> None:
    pictures = [picture(number) for number in range(1, 4)]
    times = [100, 200, 300]
    pictures[0].save("in.gif", save_all=True, append_images=pictures[1:], duration=times, loop=0)
    assert dream("in.gif", "-o", f"out.{ending}") == 0
    with Image.open(f"out.{ending}") as image:
        assert image.n_frames == 3
        shown = []
        for number in range(3):
            image.seek(number)
            image.load()
            shown.append(int(image.info["duration"]))
        assert shown == times
    assert not Path(f"out.{ending}.frames").exists()


def test_shots_are_put_together_by_the_last_command(film: Path) -> None:
    for number in ("1", "2"):
        assert dream("film", "-o", "out.gif", "--cuts", "4", "--shot", number) == 0
    assert not Path("out.gif").exists()
    assert dream("film", "-o", "out.gif", "--cuts", "4", "--resume", "--rate", "10") == 0
    with Image.open("out.gif") as image:
        assert image.n_frames == COUNT
        assert image.info["duration"] == 100


def test_grey_of_16_bits_stays_so(film: Path) -> None:
    deep = Path("deep")
    deep.mkdir()
    for number in (1, 2):
        grey = np.asarray(picture(number).convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(deep / f"{number}.png")
    assert dream("deep", "-o", "out") == 0
    with Image.open("out/0002.png") as image:
        assert image.mode == "I;16"
        assert (np.asarray(image) % 257 != 0).any()


def test_the_shots_are_listed(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dream("film", "-o", "out", "--cuts", "3,5", "--list-shots") == 0
    assert capsys.readouterr().out.split() == ["1", "1", "2", "2", "3", "4", "3", "5", "6"]
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("film", "-o", "out", "--carry", "2"), "--carry is between 0 and 1"),
        (("film", "-o", "out", "--zoom", "9"), "--zoom is between 1 and 2"),
        (("film", "-o", "out", "--cuts", "99"), "frames 1 to 6"),
        (("film", "-o", "out", "--cuts", "a"), "first frames of shots"),
        (("film", "-o", "out", "--shot", "9"), "no shot 9"),
        (("film", "-o", "out", "--shot", "1", "--of", "4"), "not 4"),
        (("film", "-o", "out", "--of", "4"), "--shot"),
        (("film", "-o", "out.avi"), "ends in one of"),
        (("film", "-o", "film"), "made from it"),
        (("nothing", "-o", "out"), "There is no file"),
        (("film/f8.png", "-o", "out"), "--frames"),
        (("film", "-o", "out", "--frames", "3"), "dive"),
        (("film", "-o", "out", "--rate", "x"), "frames a second"),
    ],
)
def test_what_makes_no_film_is_one_sentence(
    film: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[-1] == "film":
        for number, path in enumerate(sorted(film.iterdir()), start=1):
            path.rename(film / f"{number:04d}.png")
    assert dream(*arguments) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
