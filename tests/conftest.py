"""Tests on a busy machine: property tests take the time they get, torch's threads give way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch is imported; the daemon does the same (server/lifecycle/process.py).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", help="the Debian suite whose hosts are tested; default: all")
    every = "every way to install, for tens of minutes; without it, the shortest of each kind"
    parser.addoption("--every-way", action="store_true", help=every)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Dreamlayer folder of the test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DREAMLAYER_HOME", str(folder))
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--every-way"):
        return
    long = [item for item in items if item.get_closest_marker("every_way")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)
