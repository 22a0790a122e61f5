"""Deep Dream in the real GIMP 3.0 and 3.2, with the real daemon and the embedded network.

The scripts in gimp/ run inside GIMP; each of their functions check_… is a test here, all of one
script in one start of GIMP.
"""

import ast
import contextlib
import hashlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from dreamlink.client import launch
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import PARAMETERS, Recipe
from dreamlink.session.dream import Dream
from dreamlink.wire.messages import DreamRequest
from tests.hosts.session import CHECKOUT, HostSession

SCRIPTS = Path(__file__).parent / "gimp"
PHOTO = CHECKOUT / "tests" / "pictures" / "chelsea.png"
CONSOLE = (
    "dreams.py", "precisions.py", "layers.py", "looks.py", "stacks.py", "again.py", "frames.py",
    "map.py", "refusals.py",
)  # fmt: skip
WINDOWS = (
    "windows.py", "preview.py", "painted.py", "map_dialog.py", "see.py", "explore.py", "fifty.py",
)  # fmt: skip
TIMEOUT = 600  # seconds for a script with all its dreams, beside other work on the machine
FAST = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7, "context": 40}  # as in desk.py

# What the scripts leave out in a GIMP that can't do it.
NOT_IN_THIS_GIMP = {
    ("trixie", "check_only_image_closed_while_it_dreams"),  # GIMP 3.0 itself crashes
    ("trixie", "check_vector_layer"),  # came with GIMP 3.2
    ("trixie", "check_link_layer"),
}


def checks(script: str) -> list[str]:
    """The names of a script's checks; it can't be imported outside GIMP."""
    tree = ast.parse((SCRIPTS / script).read_text(encoding="utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in functions if name.startswith("check_")]


class Runs:
    """The verdicts of the scripts in this GIMP; a script runs when its verdict is first needed.

    A crash shows in the checks that are missing.
    """

    def __init__(self, host: HostSession) -> None:
        self._host = host
        self._told: dict[str, dict[str, Any]] = {}

    def __getitem__(self, script: str) -> dict[str, Any]:
        if script not in self._told:
            self._told[script] = self._run(script)
        return self._told[script]

    def _run(self, script: str) -> dict[str, Any]:
        """Run a script, in GIMP with its windows or without."""
        start = self._host.run_gimp if script in WINDOWS else self._host.run_gimp_console
        with self._prepared(script):
            result = start(SCRIPTS / script, PHOTO, timeout=TIMEOUT, scripts=str(SCRIPTS))
        return {"output": result.stdout, **result.verdict}

    @contextlib.contextmanager
    def _prepared(self, script: str) -> Iterator[None]:
        """Provide the daemon state that a script needs."""
        if script == "windows.py":
            self._stop()  # the first dialog is to start one
        if script != "fifty.py":
            yield
            return
        self._stop()
        settings = self._host.data / "settings.json"
        settings.write_text('{"grace": 0.5}', encoding="utf-8")  # a dream of the killed ends soon
        yield
        settings.unlink()
        self._stop()

    def _stop(self) -> None:
        self._host.run_outside([sys.executable, "-m", "dreamlayer", "stop"])


@pytest.fixture(scope="module")
def runs(host: HostSession) -> Runs:
    return Runs(host)


def test_layer_is_the_daemons_answer_to_the_file(
    host: HostSession, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked by another program, from the picture's file, with the same recipe.

    First of all, as later scripts stop the daemon.
    """
    told = runs["dreams.py"]
    monkeypatch.setenv("DREAMLAYER_HOME", str(host.data))
    photo = Image.open(PHOTO).convert("RGBA")
    layout = Picture(*photo.size)
    client = launch.connect()
    dream = Dream(client, DreamRequest(Recipe.of(FAST), layout, layout.region), photo.tobytes())
    while not dream.over:
        message = client.receive(60)
        assert message
        dream.receive(*message)
    client.close()
    assert dream.pixels is not None, dream.text
    assert hashlib.sha256(dream.pixels).hexdigest() == told["photo"]
    assert dream.pixels != photo.tobytes()


@pytest.mark.parametrize(
    ("script", "check"),
    [(script, check) for script in CONSOLE + WINDOWS for check in checks(script)],
)
def test_gimp(host: HostSession, runs: Runs, script: str, check: str) -> None:
    told = runs[script]
    if (host.suite, check) in NOT_IN_THIS_GIMP:
        assert "finished" in told, told["output"][-3000:]
        assert check not in told
        return
    result = told.get(check, f"GIMP ended before this check and said:\n{told['output'][-3000:]}")
    if result != "ok":
        pytest.fail(result, pytrace=False)


def test_what_became_of_the_source_is_told(runs: Runs) -> None:
    output = runs["looks.py"]["output"]
    for sentence in (
        "“Multiplied” is hidden, because its dream takes its place.",
        "“Hidden” is hidden, and so is its dream: show it in the layer list.",
        "Inside the selection “Partly” now counts twice (it is set to Multiply): hide or erase it"
        " there, or dream without a selection.",
    ):
        assert sentence in output
    assert "“Plain”" not in output


def test_missing_map_colours_are_told(runs: Runs) -> None:
    sentence = "The dream map has nothing in #0000ff here, so that was not dreamed."
    assert sentence in runs["map.py"]["output"]


def test_gimp_says_nothing_of_an_inconsistent_undo(runs: Runs) -> None:
    fifty = runs["fifty.py"]
    assert fifty.get("finished"), fifty["output"][-3000:]
    assert "Plug-in crashed" in fifty["output"], "GIMP's messages are not in its output"
    assert "inconsistent" not in fifty["output"]


def examples() -> list[tuple[str, str, str]]:
    """The document's examples: the name of a file, its content, and the command that runs it."""
    text = (CHECKOUT / "docs" / "gimp-scripts.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(python|scheme|sh)\n(.*?)```", text, re.DOTALL)
    scripts = [content for language, content in blocks if language != "sh"]
    commands = [content for language, content in blocks if language == "sh"]
    names = [script.split("\n")[0].strip("#; ") for script in scripts]
    return list(zip(names, scripts, commands, strict=True))


@pytest.fixture(scope="module")
def made(host: HostSession) -> Path:
    """A folder with a photo, an animation, and what the documented examples made of them."""
    folder = host.folder / "examples"
    folder.mkdir()
    photo = Image.open(PHOTO).convert("RGB").crop((100, 40, 300, 190))
    photo.save(folder / "photo.png")
    still, *moving = [photo.crop((x, 0, x + 100, 80)) for x in (0, 6, 12)]
    still.save(folder / "film.gif", save_all=True, append_images=moving, duration=[70, 150, 40])
    for name, script, command in examples():
        (folder / name).write_text(script, encoding="utf-8")
        result = host.run_command(command, folder)
        assert result.rc == 0, f"{command}\nended with {result.rc} and said:\n{result.stdout}"
    return folder


def test_examples_are_those_of_the_document() -> None:
    assert [name for name, _, _ in examples()] == ["dream.py", "dream.scm", "film.py"]


@pytest.mark.parametrize("name", ["dream", "strawberries"])
def test_example_dreams(made: Path, name: str) -> None:
    """One in Python, one in Script-Fu: a photo is read, dreamed on twice, and saved."""
    before, after = Image.open(made / "photo.png"), Image.open(made / f"{name}.png")
    changed = ImageStat.Stat(ImageChops.difference(before, after.convert("RGB"))).mean
    assert after.size == before.size
    assert all(2 < level < 60 for level in changed), changed
    stored = (made / f"{name}.xcf").read_bytes()
    assert b"gimp xcf" in stored
    for remembered in (b"dreamlayer-recipe", b"dreamlayer-origin", b", seed 7)", b", seed 8)"):
        assert remembered in stored


def test_example_dreams_on_an_animation(made: Path) -> None:
    before, after = Image.open(made / "film.gif"), Image.open(made / "dreamed.gif")
    assert after.n_frames == before.n_frames == 3
    for index in range(3):
        before.seek(index)
        after.seek(index)
        assert after.info["duration"] == before.info["duration"]
        pair = [picture.convert("RGB") for picture in (before, after)]
        changed = ImageStat.Stat(ImageChops.difference(*pair)).mean
        assert all(2 < level < 60 for level in changed), changed


def test_menu_entry_is_there_without_dreamlink(host: HostSession, runs: Runs) -> None:
    """GIMP asks the plug-in anew when its file has changed, so let it see the file for the first
    time while the plug-in is incomplete."""
    host.install_plugins()
    dreamlink = host.gimp_profile / "plug-ins" / "dreamlayer-gimp" / "dreamlink"
    shutil.rmtree(dreamlink)
    facts = runs["incomplete.py"]
    host.install_plugins()
    assert facts.get("menu") == ["_Deep Dream…", "<Image>/Filters/Artistic"], facts["output"]
    assert "dreamlink" in facts["text"]
    assert facts["text"].endswith("Run Dreamlayer's install.py again.")
    again = runs["arguments.py"]
    assert again.get("names"), again["output"]
    options = [
        "guide", "strength-map", "map", "selection-as", "canvas-preview", "frames", "carry",
    ]  # fmt: skip
    recipe = [name.replace("_", "-") for name in PARAMETERS]
    assert again["names"] == ["preset", "recipe", *recipe, *options]
