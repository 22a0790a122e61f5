"""`dreamlayer see` as a user runs it: with a daemon of its own and the real networks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dreamlayer.cli.seeing import sheet as see_sheet
from dreamlayer.files.opening import FileError
from dreamlink.picture import Region
from dreamlink.wire.seeing import Seen, SeenClass, SeenRow
from tests.engine.looks import PICTURES

CAT = PICTURES / "chelsea.png"


def dreamlayer(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dreamlayer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("see") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMLAYER_HOME", str(folder))
        assert dreamlayer("kinds").returncode == 0  # starts the daemon
        yield folder
        dreamlayer("stop")


def refused(*arguments: object) -> str:
    done = dreamlayer("see", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


def test_a_cat_is_named_in_words() -> None:
    done = dreamlayer("see", CAT)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("It is taken for: Egyptian cat ")
    kinds = lines.index("Kinds of things, and how far above usual they are:")
    assert lines[kinds + 1].split()[1] == "squeezenet1_1/kind:cats"
    assert any(line.startswith("Channels, ") for line in lines)
    assert any(line.startswith("Layers, ") for line in lines)


def test_json_and_a_sheet_of_a_selection(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    done = dreamlayer(
        "see", CAT, "--select", "100,40,200,150", "--json", "-o", sheet, "--count", "6"
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert set(seen) == {
        "channels",
        "layers",
        "kinds",
        "classes",
        "together",
        "seconds",
        "notes",
        "output",
    }
    assert [len(seen[name]) for name in ("channels", "layers", "kinds")] == [6, 6, 6]
    fields = {"address", "model", "layer", "name", "score", "peak", "place"}
    for row in (*seen["channels"], *seen["layers"], *seen["kinds"]):
        assert set(row) == fields
        assert 100 <= row["place"][0] < 300
        assert 40 <= row["place"][1] < 190
    assert seen["output"] == str(sheet)
    assert 0 < seen["seconds"] < 60
    with Image.open(sheet) as image:
        assert image.width > 1000
        assert len(image.convert("RGB").getcolors(1 << 24)) > 1000


def test_what_is_seen_can_be_dreamed(tmp_path: Path) -> None:
    """The words of a row are values of `dream --layer`."""
    done = dreamlayer("see", CAT, "--json", "--count", "1", "--model", "efficientnet-lite0")
    seen = json.loads(done.stdout)
    assert seen["kinds"] == seen["classes"] == []
    assert "neither classes nor kinds" in seen["notes"][0]
    row, output = seen["channels"][0], tmp_path / "dream.png"
    quick = ("--octaves", "1", "--steps", "1", "--method", "steps")
    done = dreamlayer(
        "dream", CAT, "-o", output, "--model", row["model"], "--layer", row["layer"], *quick
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert output.is_file()


def test_transparent_grey_and_masked_pictures_are_seen(tmp_path: Path) -> None:
    with Image.open(CAT) as image:
        image.convert("LA").save(tmp_path / "grey.png")
        mask = Image.new("L", image.size)
        mask.paste(255, (100, 40, 300, 190))
        mask.save(tmp_path / "mask.png")
    done = dreamlayer("see", tmp_path / "grey.png", "--mask", tmp_path / "mask.png", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    for row in json.loads(done.stdout)["channels"]:
        assert 90 <= row["place"][0] <= 310


def test_a_layer_belongs_to_the_default_network() -> None:
    seen = json.loads(dreamlayer("see", CAT, "--layer", "12", "--layer", "9", "--json").stdout)
    assert {row["name"] for row in seen["layers"]} == {"features.12", "features.9"}


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    assert "nothing.png" in refused("nothing.png")
    assert "X,Y,W,H" in refused(CAT, "--select", "1,2,3")
    assert "lies outside the picture" in refused(CAT, "--select", "9000,0,5,5")
    assert "see with squeezenet1_1" in refused(CAT, "--model", "vgg16")
    assert "There is no network" in refused(CAT, "--model", "nothing")
    assert "Choose of features.3" in refused(CAT, "--layer", "0")
    assert "count must be between" in refused(CAT, "--count", "0")
    assert "must end in .png" in refused(CAT, "-o", tmp_path / "sheet.pdf")
    assert "is the picture itself" in refused(CAT, "-o", CAT)
    assert "there is no folder" in refused(CAT, "-o", tmp_path / "none" / "sheet.png")
    (tmp_path / "there.png").write_bytes(b"kept")
    assert "add --overwrite" in refused(CAT, "-o", tmp_path / "there.png")
    assert (tmp_path / "there.png").read_bytes() == b"kept"


def test_a_sheet_that_can_not_be_saved_leaves_nothing(tmp_path: Path) -> None:
    row = SeenRow("m/l/1", "m", "l:1", "1", 1.0, (0.0, 0.0), 1.0, bytes([0, 255]))
    seen = Seen((row,), (row,), (), (SeenClass("m", 1, "cat", 0.5),), (), (2, 1), ())
    region = Region(0, 0, 1, 1)
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(FileError, match="can't be written"):
        see_sheet.write(tmp_path / "sheet.png", Image.new("RGB", (40, 20)), region, seen)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    see_sheet.write(tmp_path / "other.webp", Image.new("RGBA", (1, 300)), region, seen)
    assert (tmp_path / "other.webp").is_file()
