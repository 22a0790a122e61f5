"""A picture that an earlier version wrote gives its recipe and its selection back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

STORED = Path(__file__).parents[1] / "stored" / "dream.png"
RECIPE = {"layer": "features.6", "octaves": 2, "steps": 2, "seed": 7, "strength": 0.85}


def dreamlayer(*arguments: object) -> str:
    command = [sys.executable, "-m", "dreamlayer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Dreamlayer folder of the test's own, whose daemon is stopped at the end."""
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    yield tmp_path
    dreamlayer("stop")


def test_recipe_and_selection_are_read_from_an_earlier_versions_png(home: Path) -> None:
    output = home / "again.png"
    report = dreamlayer("dream", STORED, "--recipe", STORED, "-o", output, "--json")
    told = json.loads(report)
    assert {name: told["recipe"][name] for name in RECIPE} == RECIPE
    assert told["select"] == [30, 20, 50, 40]
    assert told["seed"] == 7
    assert output.is_file()
