"""Clients that have disconnected and may still come back."""

from __future__ import annotations

from dreamlayer.server.transport.principal import Peer


class DisconnectedClients:
    """Disconnected clients, and when each of them is given up.

    Args:
        grace: seconds in which they may come back, on the caller's clock.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._deadlines: dict[Peer, float] = {}

    def __len__(self) -> int:
        return len(self._deadlines)

    def add(self, peer: Peer, now: float) -> None:
        """Note that a connection has ended; adding it again does not extend its time."""
        self._deadlines.setdefault(peer, now + self._grace)

    def pop_expired(self, now: float) -> list[Peer]:
        """Remove and return the clients whose time to come back is over."""
        expired = [peer for peer, deadline in self._deadlines.items() if deadline <= now]
        for peer in expired:
            del self._deadlines[peer]
        return expired
