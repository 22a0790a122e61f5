"""Dreams one after another: failures beside others, lost daemons, and what ends the turn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dreamlayer.dreaming.asking import AskedDream
from dreamlayer.dreaming.in_turn import UnderWay, in_turn
from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.server.daemons import Daemon, ask, wait_until

LAYOUT = Picture(4, 4, "U8", "RGB")


class LevelJob:
    """A picture of one level; `tiles` as the fake studio reads them."""

    def __init__(self, level: int, tiles: int = 1) -> None:
        self.level = level
        self._recipe = Recipe.of({"channels": str(tiles)})
        self.asked = self.closed = 0

    def ask(self) -> AskedDream:
        self.asked += 1
        if self.level > 255:
            raise ValueError("too light")
        request = DreamRequest(self._recipe, LAYOUT, LAYOUT.region)
        return AskedDream(request, [bytes([self.level]) * LAYOUT.nbytes])

    def close(self) -> None:
        self.closed += 1


class Daemons:
    """The daemon of a test, which starts another one when the last has ended."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.last = Daemon(home)
        self.connections = 0

    def connect(self) -> Client:
        self.connections += 1
        if self.last.process.poll() is not None:
            self.last = Daemon(self._home)
        return self.last.connect()


@pytest.fixture
def daemons(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemons]:
    monkeypatch.setenv("DREAMLAYER_TEST_TILE", "0.01")
    monkeypatch.setenv("DREAMLAYER_GRACE", "60")  # nothing is cancelled unless it is asked for
    daemons = Daemons(home)
    yield daemons
    daemons.last.kill()


def nothing(_under_way: Sequence[UnderWay[Any]]) -> None:
    """Watches."""


def outcomes(jobs: Sequence[LevelJob], daemons: Daemons, watch: Any = nothing) -> list[object]:
    """The level of each result, or the text of what went wrong."""
    told = []
    with contextlib.closing(in_turn(jobs, daemons.connect, watch)) as dreams:
        for job, dream in dreams:
            assert job.closed == 0
            if isinstance(dream, Exception):
                told.append(str(dream))
            else:
                told.append(dream.pixels[0] if dream.pixels else dream.text)
    assert [job.closed for job in jobs] == [1] * len(jobs)
    return told


def test_results_come_in_the_order_of_the_pictures(daemons: Daemons) -> None:
    jobs = [LevelJob(level) for level in (5, 300, 7, 9, 301, 302, 11)]
    assert outcomes(jobs, daemons) == [6, "too light", 8, 10, "too light", "too light", 12]
    assert daemons.connections == 1


def test_without_pictures_no_daemon_is_needed(daemons: Daemons) -> None:
    assert outcomes([], daemons) == []
    assert outcomes([LevelJob(300)], daemons) == ["too light"]
    assert daemons.connections == 0


def test_a_daemon_that_takes_one_dream_at_a_time_dreams_all(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it refuses because others wait are dreamed later, and in their order."""
    monkeypatch.setenv("DREAMLAYER_WAITING_MAX_CLIENT", "1")
    daemons = Daemons(home)
    jobs = [LevelJob(level, tiles=3) for level in range(6)]
    repeated: set[int] = set()

    def watch(under_way: Sequence[UnderWay[LevelJob]]) -> None:
        dreaming = [one for one in under_way if one.dream and not one.dream.over]
        if any(one.repeated for one in dreaming):
            assert len(dreaming) == 1
            repeated.add(dreaming[0].job.level)

    assert outcomes(jobs, daemons, watch) == [1, 2, 3, 4, 5, 6]
    assert repeated
    assert [job.asked for job in jobs] == [1] * 6
    daemons.last.kill()


def test_a_dream_that_fails_twice_has_failed(daemons: Daemons) -> None:
    words = "This layer has only 512 channels, 0 to 511."
    jobs = [LevelJob(1, 901), LevelJob(2), LevelJob(3, 901), LevelJob(4)]
    assert outcomes(jobs, daemons) == [words, 3, words, 5]


def test_what_a_lost_daemon_had_is_dreamed_by_the_next_one(daemons: Daemons) -> None:
    killed = []

    def watch(under_way: Sequence[UnderWay[LevelJob]]) -> None:
        if not killed and under_way[0].fraction > 0:
            killed.append(daemons.last)
            daemons.last.kill()

    jobs = [LevelJob(level, tiles=20) for level in range(4)]
    assert outcomes(jobs, daemons, watch) == [1, 2, 3, 4]
    assert (len(killed), daemons.connections) == (1, 2)


def test_the_last_picture_says_that_its_daemon_was_lost(daemons: Daemons) -> None:
    def watch(under_way: Sequence[UnderWay[LevelJob]]) -> None:
        if under_way[0].fraction > 0 and under_way[0].outcome is None:
            daemons.last.kill()

    (told,) = outcomes([LevelJob(1, tiles=400)], daemons, watch)
    assert str(told).endswith("was lost. Nothing was written: dream again.")


def test_an_error_of_the_watcher_cancels_what_is_under_way(daemons: Daemons) -> None:
    def watch(under_way: Sequence[UnderWay[LevelJob]]) -> None:
        if under_way[0].fraction > 0:
            assert len(under_way) == 3
            raise KeyError("stop")

    jobs = [LevelJob(level, tiles=800) for level in range(4)]
    with pytest.raises(KeyError, match="stop"):
        outcomes(jobs, daemons, watch)
    assert [job.closed for job in jobs] == [1, 1, 1, 0]
    with contextlib.closing(daemons.last.connect()) as other:
        wait_until(lambda: ask(other, "status")["cancelled"] == 3)


def test_a_turn_that_nobody_follows_any_more_cancels_the_rest(daemons: Daemons) -> None:
    jobs = [LevelJob(level, tiles=1 if level == 0 else 800) for level in range(9)]
    with contextlib.closing(in_turn(jobs, daemons.connect, nothing)) as dreams:
        next(dreams)
    assert [job.closed for job in jobs] == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    with contextlib.closing(daemons.last.connect()) as other:
        wait_until(lambda: ask(other, "status")["cancelled"] == 2)
