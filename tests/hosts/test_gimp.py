"""Deep Dream in the real GIMP 3.0 and 3.2, with the real daemon and the embedded network.

The scripts in gimp/ run inside GIMP; each of their functions check_… is a test here, all of one
script in one start of GIMP.
"""

import ast
import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dreamlink import launch
from dreamlink.dream import Dream
from dreamlink.messages import DreamRequest
from dreamlink.picture import Picture
from dreamlink.recipe import PARAMETERS, Recipe
from tests.hosts.session import CHECKOUT, HostSession

SCRIPTS = Path(__file__).parent / "gimp"
PHOTO = CHECKOUT / "tests" / "pictures" / "chelsea.png"
FAST = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7, "context": 40}  # as in desk.py

# What windows.py leaves out where GIMP itself, not the plug-in, can't do it.
GIMPS_OWN_CRASHES = {("trixie", "check_only_image_closed_while_it_dreams")}

# What layers.py leaves out: kinds of layers that came with GIMP 3.2.
NOT_IN_THIS_GIMP = {("trixie", "check_vector_layer"), ("trixie", "check_link_layer")}


def checks(script: str) -> list[str]:
    """The names of a script's checks; it can't be imported outside GIMP."""
    tree = ast.parse((SCRIPTS / script).read_text(encoding="utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in functions if name.startswith("check_")]


def verdicts(host: HostSession, script: str) -> dict[str, Any]:
    """What a script told in GIMP without windows; a crash shows in the checks that are missing."""
    result = host.run_gimp_console(SCRIPTS / script, PHOTO, timeout=300, scripts=str(SCRIPTS))
    return {"output": result.stdout, **result.verdict}


def assert_ok(facts: dict[str, Any], check: str) -> None:
    told = facts.get(check, f"GIMP ended before this check and said:\n{facts['output'][-3000:]}")
    if told != "ok":
        pytest.fail(told, pytrace=False)


@pytest.fixture(scope="module")
def dreams(host: HostSession) -> dict[str, Any]:
    return verdicts(host, "dreams.py")


@pytest.fixture(scope="module")
def dreams_again(host: HostSession) -> dict[str, Any]:
    return verdicts(host, "again.py")


@pytest.fixture(scope="module")
def precisions(host: HostSession) -> dict[str, Any]:
    return verdicts(host, "precisions.py")


@pytest.fixture(scope="module")
def layers(host: HostSession) -> dict[str, Any]:
    return verdicts(host, "layers.py")


@pytest.fixture(scope="module")
def refusals(host: HostSession) -> dict[str, Any]:
    return verdicts(host, "refusals.py")


@pytest.fixture(scope="module")
def windows(host: HostSession) -> dict[str, Any]:
    # The first check looks for the words that a starting daemon gets.
    host.run_outside([sys.executable, "-m", "dreamlayer", "stop"])
    result = host.run_gimp(SCRIPTS / "windows.py", PHOTO, timeout=300, scripts=str(SCRIPTS))
    return {"output": result.stdout, **result.verdict}


@pytest.mark.parametrize("check", checks("dreams.py"))
def test_dream(dreams: dict[str, Any], check: str) -> None:
    assert_ok(dreams, check)


@pytest.mark.parametrize("check", checks("precisions.py"))
def test_precision(precisions: dict[str, Any], check: str) -> None:
    assert_ok(precisions, check)


@pytest.mark.parametrize("check", checks("layers.py"))
def test_layers(host: HostSession, layers: dict[str, Any], check: str) -> None:
    if (host.suite, check) in NOT_IN_THIS_GIMP:
        pytest.skip("this GIMP has no such layers")
    assert_ok(layers, check)


@pytest.mark.parametrize("check", checks("again.py"))
def test_dream_again(dreams_again: dict[str, Any], check: str) -> None:
    assert_ok(dreams_again, check)


def test_layer_is_the_daemons_answer_to_the_file(
    host: HostSession, dreams: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked by another program, from the picture's file, with the same recipe."""
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
    assert hashlib.sha256(dream.pixels).hexdigest() == dreams["photo"]
    assert dream.pixels != photo.tobytes()


@pytest.mark.parametrize("check", checks("windows.py"))
def test_windows(host: HostSession, windows: dict[str, Any], check: str) -> None:
    if (host.suite, check) in GIMPS_OWN_CRASHES:
        assert check not in windows
        return
    assert_ok(windows, check)


@pytest.mark.parametrize("check", checks("refusals.py"))
def test_refusal(refusals: dict[str, Any], check: str) -> None:
    assert_ok(refusals, check)


def test_menu_entry_is_there_without_dreamlink(host: HostSession) -> None:
    """GIMP asks the plug-in anew when its file has changed, so let it see the file for the first
    time while the plug-in is incomplete."""
    host.install_plugins()
    dreamlink = host.gimp_profile / "plug-ins" / "dreamlayer-gimp" / "dreamlink"
    shutil.rmtree(dreamlink)
    facts = verdicts(host, "incomplete.py")
    host.install_plugins()
    assert facts.get("menu") == ["_Deep Dream…", "<Image>/Filters/Artistic"], facts["output"]
    assert "dreamlink" in facts["text"]
    assert facts["text"].endswith("Run Dreamlayer's install.py again.")
    again = verdicts(host, "arguments.py")
    assert again.get("names"), again["output"]
    options = ["guide", "strength-map", "selection-as", "canvas-preview", "frames", "carry"]
    recipe = [name.replace("_", "-") for name in PARAMETERS]
    assert again["names"] == ["preset", "recipe", *recipe, *options]
