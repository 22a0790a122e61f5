"""Leaves the cores that other programs use to them.

A painter's computer has more to do than dream. If each core has a thread of torch, and another
program takes one core for some milliseconds, each operation of torch waits that long.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from dreamlayer.runtime import torch_threads

log = logging.getLogger(__name__)

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
        self._clock = clock
        self._times = times or (lambda: (_spent(), time.process_time()))
        self._count = self._free = count or cores()
        self._looked, self._last = clock(), self._told()

    def count(self) -> int:
        """At least 1; looks again after half a second."""
        elapsed = self._clock() - self._looked
        if elapsed >= INTERVAL:
            before, self._last = self._last, self._told()
            self._looked += elapsed
            others = 0.0
            if before is not None and self._last is not None:
                everything, own = (new - old for new, old in zip(self._last, before, strict=True))
                others = max(0.0, everything - own) / elapsed
            self._free = max(1, self._count - round(others))
        return self._free

    def _told(self) -> tuple[float, float] | None:
        """What the clocks say; None if the system does not tell."""
        try:
            return self._times()
        except Exception:  # whatever psutil raises, a dream does not fail for it
            log.debug("the system does not tell what other programs use", exc_info=True)
            return None


def _spent() -> float:
    """The processor time that the cores of this process have spent on programs."""
    import psutil  # imported late: a client waits for the start

    if not hasattr(os, "sched_getaffinity"):
        return _working(psutil.cpu_times())
    allowed = os.sched_getaffinity(0)
    each = enumerate(psutil.cpu_times(percpu=True))
    return sum(_working(times) for core, times in each if core in allowed)


def _working(times: Any) -> float:
    named: dict[str, float] = times._asdict()
    return sum(seconds for name, seconds in named.items() if name not in RESTING)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
