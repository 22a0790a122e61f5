"""The cost of a piece of work. Imports no torch: the caller first chooses torch's settings."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

STATM = Path("/proc/self/statm")


@dataclass(frozen=True)
class Spent:
    """The cost of a piece of work: seconds, seconds of the processor, extra memory at its peak."""

    wall: float
    cores: float
    memory: float | None  # MB; None where it is unknown


def measured(work: Callable[[], object], fresh: bool = True) -> Spent:
    """Do some work and return its cost.

    `fresh`: with no memory left from earlier work; only then the memory is measured.
    """
    if fresh:
        give_back_memory()
    with _PeakMemory() if fresh else nullcontext() as peak:
        began, spent = time.perf_counter(), time.process_time()
        work()
        wall, used = time.perf_counter() - began, time.process_time() - spent
    return Spent(wall, used, peak.extra if peak else None)


def give_back_memory() -> None:
    """Return freed memory to the system, so that newly taken memory is visible."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).malloc_trim(0)


class _PeakMemory:
    """Polls this process's resident memory, in a thread."""

    extra: float | None = None

    def __enter__(self) -> _PeakMemory:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        if not STATM.exists():
            return
        before = highest = _resident()
        while not self._over.wait(0.005):
            highest = max(highest, _resident())
        self.extra = (highest - before) / 1e6


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
