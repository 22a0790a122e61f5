"""Clients that have disconnected: their last messages are read, then they may still come back."""

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


class LeavingClients:
    """Clients whose connection has ended, until every message of theirs was read.

    What a client sent last may still wait in libzmq when its connection has ended. Only when that
    was read is the client forgotten: otherwise the last dream that it asked for would be taken for
    a stranger's. A connection ends in two steps: libzmq's monitor reports the end, and soon after
    libzmq hands over what it has received and takes no more messages for the client. (It drops
    what a client had sent beyond the messages that it holds for one connection.)

    Args:
        pending_max: messages that libzmq holds for one connection. It hands them over in turn,
            one of each connection, so that those of all connections are read after so many rounds.
    """

    def __init__(self, pending_max: int) -> None:
        self._pending_max = pending_max
        self._messages_read = 0
        self._all_read_at: dict[Peer, int | None] = {}  # messages read, if all were handed over

    def __len__(self) -> int:
        return len(self._all_read_at)

    def __contains__(self, peer: Peer) -> bool:
        return peer in self._all_read_at

    @property
    def reported(self) -> list[Peer]:
        """Those of whom libzmq may not have handed over everything."""
        return [peer for peer, count in self._all_read_at.items() if count is None]

    def report(self, peer: Peer) -> None:
        """Note that the end of a client's connection was reported."""
        self._all_read_at.setdefault(peer, None)

    def cut_off(self, peer: Peer, connections: int) -> None:
        """Note that libzmq takes no more messages for one of the clients of so many connections."""
        if self._all_read_at.get(peer) is None:
            self._all_read_at[peer] = self._messages_read + self._pending_max * connections

    def note_message(self) -> None:
        """Note that a message, of any client, was read."""
        self._messages_read += 1

    def pop_complete(self, none_left: bool) -> list[Peer]:
        """Remove and return those with no unread message; `none_left`: nobody has one."""
        complete = [
            peer
            for peer, count in self._all_read_at.items()
            if count is not None and (none_left or self._messages_read >= count)
        ]
        for peer in complete:
            del self._all_read_at[peer]
        return complete
