"""What the model needs of the connection to the daemon, which is Qt's (`qt.connection.Link`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dreamlink.wire.messages import Frame

from ..qt.listener import ConnectionState, Listener


class DaemonLink(Protocol):
    """A connection shared by all dreams, quick looks and blends; no method blocks.

    Attributes:
        state: the connection's state.
        sentence: what the user is told about it: what it waits for, or why it failed; or "".
    """

    state: ConnectionState
    sentence: str

    def open(self, listener: Listener) -> None:
        """Connect if necessary; the listener is called then, and gets all messages."""

    def reopen(self, listener: Listener, reason: str) -> None:
        """Look for the daemon whose connection was lost; `lost(reason)` if it is gone."""

    def leave(self, listener: Listener) -> None:
        """Stop listening."""

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        """Queue a message; raises LinkError if there is no connection."""

    def close(self) -> None:
        """Close the connection; the daemon then cancels everything requested over it."""
