"""Rests between tiles have the right length, and a dream can be cancelled during a rest."""

from types import SimpleNamespace

import pytest
import torch

from dreamlayer.runtime import duty_cycle

CPU = torch.device("cpu")
CARD = torch.device("meta")  # any that is not the CPU


class Clocks:
    """A clock that advances by sleeping and by working, with `threads` threads."""

    def __init__(self, monkeypatch, threads=1):
        self.now, self.cpu, self.slept, self.threads = 100.0, 7.0, [], threads
        clocks = SimpleNamespace(
            monotonic=lambda: self.now, process_time=lambda: self.cpu, sleep=self.sleep
        )
        monkeypatch.setattr(duty_cycle, "time", clocks)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def work(self, seconds):
        self.now += seconds
        self.cpu += seconds * self.threads


def tiles(clocks, seconds):
    for number, one in enumerate(seconds):
        clocks.work(one)
        yield number
    return "done"


def run(steps):
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as done:
            return seen, done.value


@pytest.mark.parametrize("duty", [1.0, 0.5, 0.25, 0.05])
@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("device", [CPU, CARD])
def test_the_duty_cycle_is_kept(monkeypatch, duty, threads, device):
    clocks = Clocks(monkeypatch, threads)
    seen, result = run(duty_cycle.paced(tiles(clocks, [0.3, 1.0, 0.02]), duty, device, threads))
    assert result == "done"
    assert list(dict.fromkeys(seen)) == [0, 1, 2]
    assert sum(clocks.slept) == pytest.approx(1.32 * (1 / duty - 1))
    assert all(rest <= duty_cycle.SLICE for rest in clocks.slept)


def test_one_busy_thread_of_four_is_a_quarter_of_the_work(monkeypatch):
    clocks = Clocks(monkeypatch, threads=1)
    run(duty_cycle.paced(tiles(clocks, [1.0]), 0.25, CPU, 4))
    assert clocks.slept == []


def test_work_during_a_rest_prolongs_it(monkeypatch):
    clocks = Clocks(monkeypatch, threads=2)
    sleep = clocks.sleep

    def busy_for_a_while(seconds):
        sleep(seconds)
        if clocks.cpu < 7.0 + 2.4:  # another thread has a block in work
            clocks.cpu += seconds

    monkeypatch.setattr(duty_cycle.time, "sleep", busy_for_a_while)
    run(duty_cycle.paced(tiles(clocks, [1.0]), 0.5, CPU, 2))
    assert sum(clocks.slept) == pytest.approx(1.4, abs=0.2)


def test_closing_during_a_rest_ends_the_work(monkeypatch):
    clocks, closed = Clocks(monkeypatch), []

    def working():
        try:
            clocks.work(10.0)
            yield 0
            yield 1
        finally:
            closed.append(True)

    steps = duty_cycle.paced(working(), 0.05, CPU, 1)
    assert [next(steps) for _ in range(5)] == [0] * 5
    steps.close()
    assert closed == [True]
    assert sum(clocks.slept) < 1
