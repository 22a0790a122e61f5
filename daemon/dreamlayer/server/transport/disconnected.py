"""Clients that have vanished, and may come back for a while."""

from __future__ import annotations


class Absent:
    """When which of them is given up.

    Args:
        grace: seconds that they have; the clock is the caller's.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._given_up_at: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._given_up_at)

    def add(self, peer: bytes, now: float) -> None:
        """Note that a connection has ended; it may be known already."""
        self._given_up_at.setdefault(peer, now + self._grace)

    def given_up(self, now: float) -> list[bytes]:
        """Those whose time to come back is over, each once."""
        over = [peer for peer, end in self._given_up_at.items() if end <= now]
        for peer in over:
            del self._given_up_at[peer]
        return over
