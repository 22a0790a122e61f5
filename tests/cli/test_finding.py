"""The pictures that a command line names, and the names of their results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dreamlayer.cli.dreaming import finding
from dreamlayer.dreaming import output_names
from dreamlayer.files.opening import FileError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: pictures in `a`, and other things."""
    for name in (
        "a/two.PNG", "a/one.jpg", "a/notes.txt", "a/.hidden.png", "a/below/deep.png",
        "b/one.jpg", "empty/notes.txt", "x[1].png",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*inputs: str) -> list[str]:
    return [path.as_posix() for path in finding.find(inputs)]


def test_a_folder_stands_for_its_pictures_in_the_order_of_their_names() -> None:
    assert found("a") == ["a/one.jpg", "a/two.PNG"]
    assert found("b", "a") == ["b/one.jpg", "a/one.jpg", "a/two.PNG"]


def test_a_pattern_stands_for_the_files_that_match() -> None:
    assert found("a/*") == ["a/notes.txt", "a/one.jpg", "a/two.PNG"]
    assert found("*/one.*") == ["a/one.jpg", "b/one.jpg"]
    assert found("a/**/*.png") == ["a/below/deep.png"] if sys.platform != "win32" else True
    assert found("x[1].png") == ["x[1].png"]


def test_a_picture_that_is_named_twice_is_dreamed_once() -> None:
    assert found("b/one.jpg", "b", "./b/*.jpg", "a/one.jpg") == ["b/one.jpg", "a/one.jpg"]


def test_a_file_that_is_not_there_is_an_error_of_its_own() -> None:
    assert found("a/none.png") == ["a/none.png"]
    for name, words in (("empty", "no picture in the folder"), ("a/*.gif", "no file")):
        with pytest.raises(FileError, match=words):
            finding.find([name])


def test_what_may_be_several_pictures_is_a_batch() -> None:
    assert [finding.is_batch([name]) for name in ("a", "a/*.jpg", "a/one.jpg", "x[1].png")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert finding.is_batch(["a/one.jpg", "b/one.jpg"])


def test_fields_stand_for_something_of_each_picture() -> None:
    pictures = [Path("a/one.jpg"), Path("a/two.PNG"), *(Path(f"b/{i}.png") for i in range(8))]
    outputs = output_names.names("out/{n}-{parent}-{name}.{ext}", pictures)
    assert [path.as_posix() for path in outputs[:3]] == [
        "out/01-a-one.jpg", "out/02-a-two.PNG", "out/03-b-0.png",
    ]  # fmt: skip
    assert output_names.names("{other}.png", [Path("a.jpg")]) == [Path("{other}.png")]


def test_two_results_with_one_name_are_refused() -> None:
    pictures = finding.find(["a", "b"])
    with pytest.raises(FileError, match=r"a.one\.jpg and b.one\.jpg would both .* \{parent\}"):
        output_names.names("out/{name}.png", pictures)
    output_names.names("out/{parent}-{name}.png", pictures)
    with pytest.raises(FileError, match="both"):
        output_names.names("out/x.png", pictures)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_two_names_of_one_place_are_one_name(folder: Path) -> None:
    (folder / "c").symlink_to(folder / "a")
    with pytest.raises(FileError, match="both"):
        output_names.names("{parent}/x.png", [Path("a/one.jpg"), Path("c/two.PNG")])


def test_a_result_in_place_of_another_picture_is_refused() -> None:
    Path("a/one-dream.png").touch()
    with pytest.raises(FileError, match=r"one-dream\.png is to be dreamed on"):
        output_names.names("a/{name}-dream.png", finding.find(["a"]))
    # Its own place is a matter of --overwrite, as for one picture.
    assert output_names.names("a/{name}.{ext}", finding.find(["a"])) == finding.find(["a"])
