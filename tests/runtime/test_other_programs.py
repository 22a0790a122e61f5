"""How many of torch's threads work while other programs compute."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass

import pytest
import torch

from dreamlayer.runtime.other_programs import INTERVAL, FreeCores, beside_others


@dataclass
class Computer:
    """A computer on which this program and others take some of the cores."""

    count: int
    own: float = 1.0
    others: float = 0.0
    now: float = 50.0
    looks: int = 0
    spent_by_all: float = 1000.0
    spent_here: float = 10.0

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.spent_here += seconds * self.own
        self.spent_by_all += seconds * (self.own + self.others)

    def times(self) -> tuple[float, float]:
        self.looks += 1
        return self.spent_by_all, self.spent_here

    def free(self) -> FreeCores:
        return FreeCores(lambda: self.now, self.times, self.count)


@pytest.mark.parametrize(
    ("cores", "others", "free"),
    [(2, 0.0, 2), (2, 0.3, 2), (2, 0.8, 1), (2, 5.0, 1), (8, 0.4, 8), (8, 2.0, 6), (8, 9.0, 1)],
)
def test_what_others_use_is_left_to_them(cores: int, others: float, free: int) -> None:
    computer = Computer(cores, own=cores - 0.5, others=others)
    measured = computer.free()
    assert measured.count() == cores  # nothing is known yet
    computer.passes(INTERVAL)
    assert measured.count() == free
    computer.others = 0.0
    computer.passes(INTERVAL)
    assert measured.count() == cores


def test_it_looks_no_more_often_than_it_must() -> None:
    computer = Computer(2, others=2.0)
    measured = computer.free()
    for _ in range(100):
        computer.passes(INTERVAL / 16)
        measured.count()
    assert computer.looks == 1 + 6


def test_clocks_that_disagree_leave_all_cores() -> None:
    """The system counts in hundredths of a second, the process more exactly."""
    computer = Computer(2, own=1.99, others=-0.05)
    measured = computer.free()
    computer.passes(INTERVAL)
    assert measured.count() == 2


def test_the_system_s_own_clocks_are_read() -> None:
    now = [100.0]
    measured = FreeCores(lambda: now[0])
    now[0] += 1e6  # so that nothing that others have done meanwhile counts
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert measured.count() == allowed


def test_where_the_system_does_not_tell_all_cores_are_used() -> None:
    """psutil's error in Wine, and where Windows' performance counters are off."""
    answers: list[tuple[float, float]] = []

    def times() -> tuple[float, float]:
        if not answers:
            raise OSError(1, "Invalid function")
        return answers.pop()

    now = [10.0]
    measured = FreeCores(lambda: now[0], times, 4)
    for seconds in (1.0, 1.0):
        now[0] += seconds
        assert measured.count() == 4
    answers.append((5.0, 1.0))
    now[0] += 1.0
    assert measured.count() == 4  # nothing to compare with


def test_a_dream_has_fewer_threads_only_while_it_computes() -> None:
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    computer = Computer(2, others=2.0)
    seen: list[int] = []

    def steps() -> Generator[int, None, str]:
        for number in range(3):
            seen.append(torch.get_num_threads())
            computer.passes(INTERVAL)
            yield number
        return "done"

    dreaming = beside_others(steps(), computer.free())
    try:
        assert next(dreaming) == 0
        assert torch.get_num_threads() == 2
        assert [next(dreaming), next(dreaming)] == [1, 2]
        with pytest.raises(StopIteration) as end:
            next(dreaming)
        assert end.value.value == "done"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)
    assert seen == [2, 1, 1]


def test_a_cancelled_dream_is_closed() -> None:
    ended: list[bool] = []

    def steps() -> Generator[int, None, None]:
        try:
            yield 1
            yield 2
        finally:
            ended.append(True)

    dreaming = beside_others(steps(), Computer(2).free())
    next(dreaming)
    dreaming.close()
    assert ended == [True]
