"""Leaves the cores that other programs use to them.

A painter's computer has more to do than dream. If each core has a thread of torch, and another
program takes one core for some milliseconds, each operation of torch waits that long.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from dreamlayer.runtime import torch_threads

P = TypeVar("P")
R = TypeVar("R")
INTERVAL = 0.5  # seconds between two looks at what other programs do
RESTING = ("idle", "iowait", "guest", "guest_nice")  # guests are counted in the user's time, too


class FreeCores:
    """How many of the cores that this process may use are not used by other programs.

    Args:
        clock: seconds.
        times: processor time in seconds, of all programs on these cores and of this one.
        count: of these cores; None: those of this process.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        times: Callable[[], tuple[float, float]] | None = None,
        count: int | None = None,
    ) -> None:
        cores = _own_cores()
        self._clock = clock
        self._times = times or (lambda: (_spent(cores), time.process_time()))
        self._count = self._free = count or len(cores)
        self._looked, self._last = clock(), self._times()

    def count(self) -> int:
        """At least 1; looks again after half a second."""
        elapsed = self._clock() - self._looked
        if elapsed >= INTERVAL:
            before, self._last = self._last, self._times()
            self._looked += elapsed
            everything, own = (new - old for new, old in zip(self._last, before, strict=True))
            self._free = max(1, self._count - round(max(0.0, everything - own) / elapsed))
        return self._free


def _spent(cores: Sequence[int]) -> float:
    """The processor time that these cores have spent on programs."""
    import psutil  # imported late: a client waits for the start

    times = psutil.cpu_times(percpu=True)
    spent = 0.0
    for core in cores:
        if core < len(times):
            named = times[core]._asdict()
            spent += sum(seconds for name, seconds in named.items() if name not in RESTING)
    return spent


def _own_cores() -> list[int]:
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def beside_others(steps: Generator[P, None, R], free: FreeCores) -> Generator[P, None, R]:
    """Run the steps with no more of torch's threads than there are free cores.

    No result depends on the number of threads.

    Yields:
        the values of the steps.
    """
    with contextlib.closing(steps):
        while True:
            try:
                with torch_threads.at_most(free.count()):
                    now = next(steps)
            except StopIteration as done:
                result: R = done.value
                return result
            yield now
