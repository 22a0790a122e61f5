"""A folder of the test's own, and no daemon left in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dreamlink.client import discovery
from tests.faults.painter import Painter, end_daemon


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "home"
    monkeypatch.setenv("DREAMLAYER_HOME", str(folder))
    monkeypatch.setenv("DREAMLAYER_GRACE", "0.3")
    yield folder
    info = discovery.find()
    if info is not None and info.pid > 1:
        end_daemon(info.pid)


@pytest.fixture
def painter(home: Path) -> Iterator[Painter]:
    one = Painter()
    yield one
    one.leave()
