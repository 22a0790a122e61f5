"""The states of the connection to the daemon, and who listens to it. No Qt here."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from dreamlink.wire.messages import Header


class ConnectionState(Enum):
    """The state of the connection to the daemon."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    FAILED = "failed"  # the daemon could not be reached or started


class Listener(Protocol):
    """An object that waits for the connection and receives its messages.

    After `lost` it is no longer a listener, unless it calls `reopen` or `open` again. `fail` is
    called when one of its own methods has raised an exception.
    """

    def waiting(self, sentence: str) -> None: ...
    def connected(self) -> None: ...
    def received(self, header: Header, frames: list[bytearray]) -> None: ...
    def lost(self, reason: str) -> None: ...
    def fail(self, reason: str) -> None: ...
