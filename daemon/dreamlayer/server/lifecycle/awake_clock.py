"""Time for deadlines that a sleeping machine must not let pass."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP = 2.0  # seconds; longer than the daemon's loop waits while a deadline is near


class AwakeClock:
    """Seconds that this process was awake and running.

    What a client is given to come back in is counted in these: a laptop that slept, a process that
    was stopped and a machine out of breath appear as a jump of the monotonic clock (on Windows it
    counts sleep), and the client slept as well. A jump counts as `STEP` seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._now = 0.0

    def tick(self) -> float:
        """The time now; to be asked at least every `STEP` seconds while it matters."""
        now = self._clock()
        self._now += min(STEP, max(0.0, now - self._last))
        self._last = now
        return self._now
