"""The fuzzers themselves: a short run, the kept corpus, and that they detect errors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from dreamlink.session import dream
from dreamlink.wire.messages import Frame, Header
from tests.fuzz import client_side, daemon_side, requests
from tests.fuzz.growth import Holdings, leak
from tests.fuzz.harnesses import CORPUS, HARNESSES, seeds
from tests.fuzz.reports import Failed, Run
from tests.server.daemons import Daemon

SIDES = ("daemon", "client")
LEAST = 10_000  # cases that a minute is enough for on any machine
CORPUS_MAX = 200  # files


def test_a_minute_of_malformed_input_is_refused_by_both_sides() -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz", "--side", side, "--minutes", "0.5"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for side in SIDES
    ]  # fmt: skip
    for side, run in zip(SIDES, runs, strict=True):
        said, _nothing = run.communicate(timeout=300)
        assert run.returncode == 0, said
        count = re.match(rf"{side}: (\d+) malformed cases", said)
        assert count is not None, said
        assert int(count[1]) > LEAST, said
        for kind in ("greeting", "command", "header", "geometry"):
            assert kind in said


@pytest.mark.parametrize("name", HARNESSES)
def test_the_kept_corpus_passes(name: str) -> None:
    kept = sorted((CORPUS / name).iterdir())
    assert kept
    for path in kept:
        HARNESSES[name](path.read_bytes())
    for data in seeds(name):
        HARNESSES[name](data)


def test_the_corpus_stays_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) < CORPUS_MAX
    assert sum(path.stat().st_size for path in files) < 1 << 18


def test_a_seed_makes_the_same_cases_again() -> None:
    make: Callable[[Random], list[list[bytes]]]
    for make in (requests.header, requests.geometry):
        assert make(Run(1, 1.0, seed=5).next()) == make(Run(1, 1.0, seed=5).next())
    assert requests.header(Run(1, 1.0, 5).next()) != requests.header(Run(1, 1.0, 6).next())


def test_a_daemon_that_accepts_invalid_input_is_detected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    daemon = Daemon(tmp_path / "home")
    monkeypatch.setattr(requests, "header", lambda dice: requests.request(*requests.dream(dice)))
    try:
        with pytest.raises(Failed, match="answered with queued"):
            daemon_side.attack(daemon, Run(2000, 60.0, seed=1))
    finally:
        daemon.kill()


def test_a_client_that_accepts_invalid_input_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(header: Header, frames: list[Frame]) -> None:
        """Checks nothing."""

    monkeypatch.setattr(dream, "check", lenient)
    with pytest.raises(Failed, match="--seed 1 --first 0"):
        client_side.attack(Run(2000, 60.0, seed=1))


def test_growth_is_reported() -> None:
    before = Holdings(memory=100_000, files=10, threads=4)
    assert leak(before, Holdings(105_000, 10, 4)) == ""
    assert leak(before, Holdings(90_000, 9, 3)) == ""
    assert leak(before, Holdings(120_000, 12, 5)) == "2 files, 1 threads, 19.5 MiB"
