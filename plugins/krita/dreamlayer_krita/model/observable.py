"""Values and events that widgets subscribe to. Plain Python, no Qt.

Subscribers are called in the order in which they subscribed. An exception in one of them goes to
whoever set the value or emitted the event, so a subscriber that must not disturb the others is
wrapped in `guarded`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Observable(Generic[T]):
    """A value whose subscribers are called each time it is set, even to an equal value."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._subscribers: list[Callable[[T], None]] = []

    @property
    def value(self) -> T:
        return self._value

    def set(self, value: T) -> None:
        """Store a value and pass it to all subscribers.

        A subscriber may set the value again; those after it then get the newer one.
        """
        self._value = value
        for call in list(self._subscribers):
            call(self._value)

    def subscribe(self, call: Callable[[T], None]) -> None:
        """Call `call` with each value that is set from now on."""
        self._subscribers.append(call)


class Event(Generic[T]):
    """Something that happens now and then; nothing is stored."""

    def __init__(self) -> None:
        self._subscribers: list[Callable[[T], None]] = []

    def emit(self, value: T) -> None:
        """Pass a value to all subscribers."""
        for call in list(self._subscribers):
            call(value)

    def subscribe(self, call: Callable[[T], None]) -> None:
        """Call `call` with each value that is emitted from now on."""
        self._subscribers.append(call)
