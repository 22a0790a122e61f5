"""The command line as a user runs it: with a daemon of its own and the real network."""

from __future__ import annotations

import dataclasses
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dreamlink.client import discovery
from dreamlink.recipe.presets import DEFAULT, PRESETS
from dreamlink.recipe.recipe import PARAMETERS, Recipe
from tests.server.daemons import SOON, wait_until

CHELSEA = Path(__file__).parent.parent / "pictures" / "chelsea.png"
QUICK = ("--octaves", "1", "--steps", "1", "--layer", "3", "--seed", "7")
COMMAND = [sys.executable, "-m", "dreamlayer"]


def dreamlayer(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=180, cwd=cwd, check=False
    )


def good(*arguments: object) -> str:
    """The output of a command that must succeed."""
    done = dreamlayer(*arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def array(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new Dreamlayer folder; the first command starts a daemon in it, this fixture stops it."""
    folder = tmp_path_factory.mktemp("cli") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMLAYER_HOME", str(folder))
        assert dreamlayer("status").stdout == "The Dreamlayer daemon is not running.\n"
        assert not (folder / "daemon.json").exists()
        assert "Starting the Dreamlayer daemon…" in dreamlayer("layers", "squeezenet1_1").stderr
        yield folder
        log = (folder / "daemon.log").read_text()
        assert "has stopped" in dreamlayer("stop").stdout
        assert discovery.find() is None
        assert "not running" in dreamlayer("stop").stdout
        assert "Traceback" not in log


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of Chelsea, small enough to be quick."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    with Image.open(CHELSEA) as chelsea:
        chelsea.convert("RGB").crop((120, 60, 320, 220)).save(path, dpi=(300, 300))
    return path


# Acceptance.


def test_the_same_seed_gives_the_same_bytes_and_tiles_do_not_matter(tmp_path: Path) -> None:
    """With the default recipe: an error of rounding would grow through all of its steps."""
    common = ("dream", CHELSEA, "--layer", "10", "--seed", "7")
    for name, tile in (("one", 2048), ("two", 2048)):
        good(*common, "--tile", tile, "-o", tmp_path / f"{name}.png")
    report = json.loads(good(*common, "--tile", 128, "-o", tmp_path / "tiles.png", "--json"))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    tiles = array(tmp_path / "tiles.png").astype(np.float64)
    whole = array(tmp_path / "one.png").astype(np.float64)
    error = np.mean((tiles - whole) ** 2)
    assert error == 0 or 10 * np.log10(255**2 / error) > 60
    assert np.abs(whole - array(CHELSEA)).mean() > 1.0  # it did dream
    assert Recipe.of(report["recipe"]).tile == 128
    assert report["seed"] == 7
    assert report["gain"] > 1.0
    assert report["seconds"] > 0
    assert report["megapixel_steps"] > 0
    assert report["device"]
    assert report["output"] == str(tmp_path / "tiles.png")


def test_strength_0_is_the_source_bit_for_bit(photo: Path, tmp_path: Path) -> None:
    good("dream", photo, "-o", tmp_path / "out.png", *QUICK, "--strength", "0")
    assert np.array_equal(array(tmp_path / "out.png"), array(photo))


def test_a_selection_comes_back_to_where_it_was_taken_from(photo: Path, tmp_path: Path) -> None:
    selected = ("--select", "60,50,70,40", "--context", "16", "--strength", "0")
    good("dream", photo, "-o", tmp_path / "out.png", *QUICK, *selected)
    assert np.array_equal(array(tmp_path / "out.png"), array(photo))


def test_a_selection_leaves_every_pixel_outside_as_it_was(photo: Path, tmp_path: Path) -> None:
    good("dream", photo, "-o", tmp_path / "out.png", *QUICK, "--select", "60,50,70,40")
    source, result = array(photo), array(tmp_path / "out.png")
    inside = np.zeros(source.shape[:2], bool)
    inside[50:90, 60:130] = True
    assert np.array_equal(result[~inside], source[~inside])
    assert (result[inside] != source[inside]).mean() > 0.5


def test_a_selection_at_the_border_is_clipped(photo: Path, tmp_path: Path) -> None:
    good("dream", photo, "-o", tmp_path / "out.png", *QUICK, "--select", "-20,-30,120,130")
    source, result = array(photo), array(tmp_path / "out.png")
    assert np.array_equal(result[100:], source[100:])
    assert np.array_equal(result[:, 100:], source[:, 100:])
    assert (result[:100, :100] != source[:100, :100]).mean() > 0.5


def test_a_mask_and_a_rectangle_select_what_both_have(photo: Path, tmp_path: Path) -> None:
    levels = np.zeros((160, 200), np.uint8)
    levels[40:120, 30:150] = 255
    levels[60:80, 60:90] = 0
    Image.fromarray(levels).save(tmp_path / "mask.png")
    masked = ("--mask", tmp_path / "mask.png", "--select", "50,20,60,90")
    good("dream", photo, "-o", tmp_path / "out.png", *QUICK, *masked)
    source, result = array(photo), array(tmp_path / "out.png")
    inside = levels > 0
    inside[:, :50] = inside[:, 110:] = inside[:20] = inside[110:] = False
    assert np.array_equal(result[~inside], source[~inside])
    assert (result[inside] != source[inside]).mean() > 0.5


# Output.


def test_a_png_carries_its_recipe_its_resolution_and_nothing_else_is_left(
    photo: Path, tmp_path: Path
) -> None:
    said = good("dream", photo, "-o", tmp_path / "out.png", "--octaves=1", "--steps=1", "--layer=3")
    with Image.open(tmp_path / "out.png") as image:
        recipe = Recipe.of(json.loads(image.info["dreamlayer"])["recipe"])
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert recipe.seed > 0  # drawn, and told
    assert f"seed {recipe.seed}" in said
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    assert list(photo.parent.iterdir()) == [photo]


def test_a_dream_is_dreamed_again_from_its_picture(photo: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    select = ("--select", "60,50,70,40")
    good("dream", photo, "-o", first, *select, "--layer=3:5", "--octaves=1", "--steps=2")
    good("dream", photo, "-o", again, *select, "--recipe", first)
    assert again.read_bytes() == first.read_bytes()
    done = dreamlayer("dream", photo, "-o", again, "--recipe", first)
    assert "only 60,50,70,40" in done.stderr  # which nobody said this time
    assert again.read_bytes() == first.read_bytes()
    good("dream", photo, "-o", again, *select, "--recipe", first, "--strength=0")
    assert np.array_equal(array(again), array(photo))


def test_a_mask_is_asked_for_when_a_dream_is_dreamed_again(photo: Path, tmp_path: Path) -> None:
    first, again, mask = (tmp_path / name for name in ("first.png", "again.png", "mask.png"))
    Image.linear_gradient("L").resize((200, 160)).save(mask)
    good("dream", photo, "-o", first, "--mask", mask, *QUICK)
    assert "with a mask" in dreamlayer("dream", photo, "-o", again, "--recipe", first).stderr
    good("dream", photo, "-o", again, "--recipe", first, "--mask", mask)
    assert again.read_bytes() == first.read_bytes()


def test_a_preset_is_a_recipe_that_options_change(photo: Path, tmp_path: Path) -> None:
    quick = ("--preset", "feathers", "--octaves=1", "--steps=1", "--json")
    told = json.loads(good("dream", photo, "-o", tmp_path / "out.png", *quick))
    feathers = PRESETS["feathers"].recipe()
    changed = dataclasses.replace(feathers, octaves=1, steps=1, seed=told["seed"])
    assert Recipe.of(told["recipe"]) == changed
    listed = good("presets")
    for name, preset in PRESETS.items():
        assert name in listed
        assert preset.title in listed


def test_without_a_choice_the_default_preset_is_dreamed(photo: Path, tmp_path: Path) -> None:
    def recipe(*options: str) -> Recipe:
        told = good("dream", photo, "-o", tmp_path / "out.png", "--seed=7", "--json", *options)
        return Recipe.of(json.loads(told)["recipe"])

    default = PRESETS[DEFAULT].recipe()
    assert recipe("--strength=0.5") == dataclasses.replace(default, seed=7, strength=0.5)
    own = ("--octaves=1", "--steps=1")
    assert recipe(*own) == Recipe(seed=7, octaves=1, steps=1)


def test_a_guide_is_followed(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.effect_noise((700, 300), 60).save(other)
    for name, guide in (("one", photo), ("two", other)):
        command = ("dream", photo, "-o", tmp_path / f"{name}.png", *QUICK, "--layer=3:guide")
        good(*command, "--guide", guide)
    one, two = array(tmp_path / "one.png"), array(tmp_path / "two.png")
    assert not np.array_equal(one, array(photo))
    assert not np.array_equal(one, two)


def test_a_map_says_what_is_dreamed_where(photo: Path, tmp_path: Path) -> None:
    """Half the size of the picture: left red, right green, nothing in the middle."""
    colours = np.full((80, 100, 3), 255, np.uint8)
    colours[:, :30], colours[:, 70:] = (255, 0, 0), (0, 255, 0)
    Image.fromarray(colours).save(tmp_path / "map.png")
    options = ("--octaves=1", "--steps=2", "--seed=7", "--step-size=6")
    bound = ("--map", tmp_path / "map.png", "--bind", "#ff0000=3", "--bind", "#00ff00=10:30")
    told = good("dream", photo, "-o", tmp_path / "out.png", *options, *bound, "--json")
    assert json.loads(told)["recipe"]["bind"] == "#ff0000=3; #00ff00=10:30"
    assert json.loads(told)["map"] is True
    before, after = array(photo), array(tmp_path / "out.png")
    changed = (before != after).any(axis=2)
    assert changed[:, :56].mean() > 0.9
    assert changed[:, 144:].mean() > 0.5
    assert not changed[:, 64:136].any()
    again = ("--recipe", tmp_path / "out.png", "--map", tmp_path / "map.png")
    good("dream", photo, "-o", tmp_path / "again.png", *again)
    assert np.array_equal(array(tmp_path / "again.png"), after)
    refused(
        dreamlayer("dream", photo, "-o", tmp_path / "no.png", "--recipe", tmp_path / "out.png"),
        "--map",
    )
    part = ("--select", "100,20,90,100")
    done = dreamlayer("dream", photo, "-o", tmp_path / "part.png", *options, *bound, *part)
    assert done.returncode == 0
    assert "has nothing in #ff0000 here" in done.stderr
    changed = (before != array(tmp_path / "part.png")).any(axis=2)
    assert changed[20:120, 144:190].mean() > 0.5
    assert not changed[:, :136].any()


def test_an_output_replaces_an_input_if_told_so(photo: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(photo.read_bytes())
    refused(dreamlayer("dream", own, "-o", own, *QUICK), "--overwrite")
    assert own.read_bytes() == photo.read_bytes()
    good("dream", own, "-o", own, *QUICK, "--overwrite")
    assert not np.array_equal(array(own), array(photo))


def test_what_a_jpeg_cannot_store_is_noted(tmp_path: Path) -> None:
    Image.new("RGBA", (96, 96), (200, 100, 50, 128)).save(tmp_path / "in.png")
    done = dreamlayer("dream", tmp_path / "in.png", "-o", tmp_path / "out.jpg", *QUICK)
    assert done.returncode == 0
    assert "transparency" in done.stderr
    with Image.open(tmp_path / "out.jpg") as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")


def test_a_progress_bar_is_shown_on_a_terminal_only(photo: Path, tmp_path: Path) -> None:
    command = ["dream", str(photo), "-o", str(tmp_path / "out.png"), *QUICK, "--steps", "30"]
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with subprocess.Popen([*COMMAND, *command], stdout=subprocess.PIPE, stderr=other_end) as shown:
        os.close(other_end)
        seen = b""
        try:
            while piece := os.read(terminal, 1000):
                seen += piece
        except OSError:  # on Linux this means that the other end is closed
            pass
    os.close(terminal)
    assert shown.returncode == 0
    assert b"Octave 1 of 1, step" in seen
    assert good(*command)


@pytest.fixture
def listening_to_ctrl_c() -> Iterator[None]:
    """Restores Ctrl-C, which processes that a shell runs in the background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening_to_ctrl_c")
def test_ctrl_c_cancels_the_dream(photo: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    command = [*COMMAND, "dream", str(photo), "-o", str(output), "--steps", "500", "--octaves", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as dreaming:
        wait_until(lambda: "dreams:    running" in good("status"))
        began = time.monotonic()
        dreaming.send_signal(signal.SIGINT)
        _out, errors = dreaming.communicate(timeout=SOON)
    assert dreaming.returncode == 130
    assert b"Traceback" not in errors
    assert not output.exists()
    wait_until(lambda: "dreams:    none" in good("status"))
    assert time.monotonic() - began < SOON


def test_status_and_lists_are_printed() -> None:
    assert "is running (process" in good("status")
    assert "squeezenet1_1" in good("models")
    layers = good("layers", "squeezenet1_1").splitlines()
    assert layers[0].split()[:3] == ["name", "index", "kind"]
    assert any(line.split()[:2] == ["features.10", "10"] for line in layers)
    kinds = good("kinds").splitlines()
    assert kinds[0].split() == ["name", "for", "example"]
    assert any(re.match("dogs +Chihuahua, ", line) for line in kinds)
    assert good("kinds", "squeezenet1_1").splitlines() == kinds


def test_lists_are_json_on_request() -> None:
    assert [row["name"] for row in as_list("presets")] == list(PRESETS)
    assert "squeezenet1_1" in [row["name"] for row in as_list("models")]
    assert "features.10" in [row["name"] for row in as_list("layers", "squeezenet1_1")]
    dogs = next(row for row in as_list("kinds") if row["name"] == "dogs")
    assert "Chihuahua" in dogs["examples"]


def as_list(*arguments: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(good(*arguments, "--json"))
    return listed


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing.png",), "no file"),
        ((".",), "both be dreamed to"),
        (("text.png",), "not a picture"),
        (("empty.png",), "not a picture"),
        (("cut.png",), "damaged"),
        (("tiny.png",), "too few"),
        (("photo.png", "--layer", "features.99"), "features.99"),
        (("photo.png", "--layer", "10:9999"), "9999"),
        (("photo.png", "--layer", "10 + features.99:3*2"), "»features.99:3«"),
        (("photo.png", "--layer", "10:"), "10:»«"),
        (("photo.png", "--layer", "class:catsle"), "castle"),
        (("photo.png", "--layer", "10:guide"), "--guide"),
        (("photo.png", "--guide", "photo.png"), "--layer 10:guide"),
        (("photo.png", "--guide", "photo.png", "--layer", "class:castle"), "10:guide"),
        (("photo.png", "--layer", "10:guide", "--guide", "missing.png"), "no file"),
        (("photo.png", "--preset", "strawberry"), "strawberries"),
        (("photo.png", "--recipe", "photo.png"), "no recipe"),
        (("photo.png", "--recipe", "missing.png"), "no file"),
        (("photo.png", "--pooling", "soft"), "max or average"),
        (("photo.png", "--channels", "a"), "channels"),
        (("photo.png", "--model", "squeezenet9"), "squeezenet9"),
        (("photo.png", "--model", "googlenet"), "models get googlenet"),  # its own layer
        (("photo.png", "--device", "abacus"), "abacus"),
        (("photo.png", "--octaves", "99"), "octaves"),
        (("photo.png", "--steps", "ten"), "steps"),
        (("photo.png", "--select", "1,2,3"), "X,Y,W,H"),
        (("photo.png", "--select", "1,2,0,5"), "at least one pixel"),
        (("photo.png", "--select", "900,900,10,10"), "outside the picture"),
        (("photo.png", "--mask", "missing.png"), "no file"),
        (("photo.png", "--mask", "tiny.png"), "the same size"),
        (("photo.png", "--mask", "black.png"), "selects nothing"),
        (("photo.png", "--map", "photo.png"), "add e.g. --bind"),
        (("photo.png", "--bind", "#ff0000=10"), "with --map PICTURE"),
        (("photo.png", "--bind", "red=10", "--map", "photo.png"), "binds no colour"),
        (("photo.png", "--bind", "#00ff00=10", "--map", "photo.png"), "most frequent colours"),
        (("photo.png", "--bind", "#ff0000=10", "--map", "missing.png"), "no file"),
        (("photo.png", "--bind", "#ff0000=10", "--layer", "3", "--map", "photo.png"), "omit one"),
    ],
)  # fmt: skip
def test_bad_input_gives_one_sentence_and_no_file(
    photo: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "photo.png").write_bytes(photo.read_bytes())
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:9000])
    Image.new("RGB", (4, 4)).save(tmp_path / "tiny.png")
    Image.new("L", (200, 160)).save(tmp_path / "black.png")
    before = sorted(tmp_path.iterdir())
    done = dreamlayer("dream", *arguments, "-o", "out.png", cwd=tmp_path)
    refused(done, words)
    assert sorted(tmp_path.iterdir()) == before


def refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("dreamlayer: ")
    assert lines[0].endswith((".", ")", "?"))
    assert words in lines[0]


@pytest.mark.parametrize("output", ["out.xyz", "out", "nowhere/out.png", "folder.png"])
def test_an_impossible_output_is_refused_before_dreaming(
    photo: Path, tmp_path: Path, output: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    began = time.monotonic()
    # Dreaming first would take hours.
    done = dreamlayer("dream", photo, "-o", tmp_path / output, "--steps", "500", "--octaves", "16")
    refused(done, "can't be written")
    assert time.monotonic() - began < SOON


def test_an_unknown_model_has_no_layers() -> None:
    for listed in ("layers", "kinds"):
        refused(dreamlayer(listed, "squeezenet9"), "squeezenet9")
    refused(dreamlayer("kinds", "alexnet"), "alexnet has no kinds of things")


@pytest.mark.parametrize(
    "arguments", [(), ("sleep",), ("dream",), ("dream", "x.png"), ("dream", "x.png", "--oops")]
)
def test_wrong_usage_prints_the_usage(arguments: tuple[str, ...]) -> None:
    done = dreamlayer(*arguments)
    assert done.returncode == 2
    assert "usage: dreamlayer" in done.stderr


# Help.


def test_every_parameter_is_an_option_with_range_and_default() -> None:
    text = " ".join(good("dream", "--help").split())
    for row in PARAMETERS.values():
        option = f"--{row.name.replace('_', '-')}"
        assert option in text
        if row.minimum is not None:
            assert f"{row.minimum:g} to {row.maximum:g}" in text
        assert " or ".join(row.choices) in text
    assert "--no-roll" in text
    for option in ("--select", "--mask", "--device", "--json", "--guide", "--preset", "--recipe"):
        assert option in text
    assert "--map" in text
    assert "--bind COLOUR=WHAT" in text


def test_help_loads_nothing_heavy() -> None:
    code = """
import sys
from dreamlayer.cli.main import main
try:
    main(["dream", "--help"])
except SystemExit:
    pass
heavy = {"torch", "zmq", "PIL", "numpy"} & set(sys.modules)
sys.exit(f"{heavy} loaded" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert io.BytesIO(done.stdout).readline().startswith(b"usage:")
