"""The plug-in with PyQt6, as in Krita 6, for which Debian has no package."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dreamlink.client import discovery, launch
from dreamlink.recipe.presets import DEFAULT, PRESETS
from dreamlink.session import map_colours
from tests.server.daemons import FAKE, wait_until

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Dreamlayer's folder; the daemon started there is stopped at the end."""
    folder = tmp_path_factory.mktemp("krita6")
    (folder / "launcher.json").write_text(json.dumps({"command": FAKE}), encoding="utf-8")
    yield folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMLAYER_HOME", str(folder))
        client = launch.connect_to_running()
        if client is not None:
            client.send({"op": "stop", "id": "stop"})
            wait_until(lambda: discovery.find() is None)
            client.close()


@pytest.fixture(scope="module")
def facts(home: Path) -> dict[str, Any]:
    probe = [sys.executable, "-c", "from PyQt6 import QtTest, QtWidgets"]
    imported = subprocess.run(probe, stderr=subprocess.PIPE, text=True, check=False)
    if imported.returncode:  # e.g. a server without a window system's libraries
        pytest.skip(f"PyQt6 can't be used here: {imported.stderr.strip().splitlines()[-1]}")
    folders = [ROOT / "plugins" / "krita", ROOT / "plugins" / "link", ROOT / "daemon", ROOT, HERE]
    env = {
        **os.environ,
        "DREAMLAYER_HOME": str(home),
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "sitting.py")],
        env=env, capture_output=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert "Traceback" not in done.stderr.decode("utf-8", "replace"), done.stderr.decode()
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def test_only_qt_6_is_loaded(facts: dict[str, Any]) -> None:
    assert facts["other_qt"] == []


def test_action_says_what_is_missing(facts: dict[str, Any]) -> None:
    assert facts["refusal_without_a_picture"].startswith("No picture is open")


def test_form_follows_the_keyboard_and_unfolds(facts: dict[str, Any]) -> None:
    names = list(PRESETS)
    below = PRESETS[names[names.index(DEFAULT) + 1]]
    assert facts["preset_by_keyboard"] == below.values["layer"]
    assert facts["unfolded"] == [False, True]


def test_dream_becomes_a_layer(facts: dict[str, Any]) -> None:
    dream = facts["dream"]
    assert dream["names"] == ["Background", "Dream of Background (features.0:3, seed 7)"]
    assert dream["dreamed"]
    assert dream["message"].startswith("Dreamed in ")
    assert facts["connection"] == "Daemon: connected"


def test_waiting_dreams_are_cancelled(facts: dict[str, Any]) -> None:
    assert facts["queue_and_cancel"] == [2, 0, 1]


def test_log_and_names_of_layers_are_shown(facts: dict[str, Any]) -> None:
    assert facts["log"]
    assert facts["suggestions"]
    assert facts["guide"] == ["None", "Background"]


def test_open_windows_follow_a_dream_map(facts: dict[str, Any]) -> None:
    for texts in facts["map_while_looking"].values():
        before, overruled, after = texts
        assert map_colours.DECIDES in overruled
        assert map_colours.DECIDES not in before
        assert after == before
