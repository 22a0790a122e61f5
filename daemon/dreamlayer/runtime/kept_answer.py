"""An answer of the system that takes long: a good one is kept, a bad one is asked for again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
ASK_AGAIN = 120.0  # seconds after a bad answer: a driver may be installed or come back meanwhile


class KeptAnswer(Generic[T]):
    """Asks once, and again ASK_AGAIN seconds after each answer that is not `good`. Thread-safe."""

    def __init__(self, ask: Callable[[], T], good: Callable[[T], bool]) -> None:
        self._ask, self._good = ask, good
        self._lock = threading.Lock()
        self._told: tuple[float, T] | None = None  # when, by the monotonic clock, and what

    def __call__(self) -> T:
        """The answer."""
        with self._lock:
            told = self._told
            late = told is not None and time.monotonic() >= told[0] + ASK_AGAIN
            if told is None or (late and not self._good(told[1])):
                told = self._told = (time.monotonic(), self._ask())
            return told[1]
