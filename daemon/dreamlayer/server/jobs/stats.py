"""Statistics of the dreams of the last hour."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

HOUR = 3600.0  # seconds
MERGE = 10.0  # seconds; dreams that end within this time share an entry, which limits memory


class Rates:
    """Counts the dreams of the last hour. May be used by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._done: deque[tuple[float, int, float, float]] = deque()  # when, how many, MP-steps, s

    def add(self, megapixel_steps: float, seconds: float) -> None:
        """Add a finished dream."""
        with self._lock:
            now, count = self._clock(), 1
            if self._done and now < self._done[-1][0] + MERGE:
                now, before, work, spent = self._done.pop()
                count, megapixel_steps, seconds = (
                    before + 1,
                    work + megapixel_steps,
                    spent + seconds,
                )
            self._done.append((now, count, megapixel_steps, seconds))
            self._forget()

    def describe(self) -> dict[str, float]:
        """Dreams in the last hour, and megapixel-steps per second of computing time."""
        with self._lock:
            self._forget()
            done = list(self._done)
        work, seconds = sum(one[2] for one in done), sum(one[3] for one in done)
        speed = work / seconds if seconds > 0 else 0.0
        return {
            "dreams_per_hour": sum(one[1] for one in done),
            "megapixel_steps_per_second": round(speed, 4),
        }

    def _forget(self) -> None:
        while self._done and self._done[0][0] < self._clock() - HOUR:
            self._done.popleft()
