"""What goes out to the clients: never waiting for one of them, and each one's messages in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto

from dreamlayer.server.transport.mailbox import Outgoing


class Sent(Enum):
    """What became of a message."""

    GONE = auto()  # on its way
    FULL = auto()  # the client has no room for it now
    NOBODY = auto()  # the client is no longer there


class Outbox:
    """Messages that wait for clients that do not read.

    Args:
        send: sends a message without waiting and says what became of it.
        lost: called with a client that turned out to be no longer there.
    """

    def __init__(self, send: Callable[[Outgoing], Sent], lost: Callable[[bytes], None]) -> None:
        self._try = send
        self._lost = lost
        self._late: dict[bytes, deque[Outgoing]] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything is to be tried again later."""
        return bool(self._late)

    def unread(self, peer: bytes) -> int:
        """How many messages wait for a client to read those before."""
        return len(self._late.get(peer, ()))

    def send(self, message: Outgoing) -> None:
        """Send a message, or keep it until its client has room; progress is not kept."""
        late = self._late.get(message.peer)
        if late is None:
            found = self._try(message)
            if found is Sent.NOBODY:
                self._lost(message.peer)
            if found is not Sent.FULL:
                return
        if message.header["op"] != "progress":
            self._late.setdefault(message.peer, deque()).append(message)

    def send_all(self, fresh: Sequence[Outgoing] = ()) -> None:
        """Try again what is late, then send what is fresh."""
        for peer in list(self._late):
            late = self._late.pop(peer)
            while late and (found := self._try(late[0])) is not Sent.FULL:
                late.popleft()
                if found is Sent.NOBODY:
                    late.clear()
                    self._lost(peer)
            if late:
                self._late[peer] = late
        for message in fresh:
            self.send(message)
