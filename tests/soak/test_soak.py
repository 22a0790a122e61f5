"""A short soak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.daemons import Daemon
from tests.soak.soak import soak

JOBS = 400


def test_hundreds_of_jobs_from_clients_that_come_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DREAMLAYER_TEST_TILE", "0.001")
    daemon = Daemon(tmp_path / "home")
    try:
        outcome = soak(daemon, JOBS, clients=4, seed=7, warm=200)
    finally:
        daemon.kill()
    assert not outcome.problems, str(outcome)
    assert outcome.tally.answered >= JOBS
    assert outcome.tally.kills
