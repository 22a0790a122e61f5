"""A clock that stands still while the machine sleeps, for the deadlines of clients."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP = 2.0  # seconds; longer than the daemon's loop waits while there is a deadline


class AwakeClock:
    """Seconds during which this process was awake and running.

    The time a client has to come back is measured with this clock. A laptop that slept, a process
    that was stopped and an overloaded machine show as a jump of the monotonic clock (on Windows it
    counts sleep), during which the client could not run either. A jump counts as `STEP` seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._now = 0.0

    def tick(self) -> float:
        """The current time; to be called at least every `STEP` seconds while it matters."""
        now = self._clock()
        self._now += min(STEP, max(0.0, now - self._last))
        self._last = now
        return self._now
