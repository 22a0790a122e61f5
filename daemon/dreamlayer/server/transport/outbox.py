"""Outgoing messages: never blocks on a slow client, and keeps the order of each one's messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto

from dreamlayer.server.transport.mailbox import Outgoing


class SendResult(Enum):
    """The result of trying to send a message."""

    SENT = auto()
    FULL = auto()  # the client's queue is full
    DISCONNECTED = auto()


class Outbox:
    """Sends messages at once where possible, and holds those for clients that don't read.

    Args:
        send: tries to send a message without waiting.
        lost: called with a client that turned out to be disconnected.
    """

    def __init__(
        self, send: Callable[[Outgoing], SendResult], lost: Callable[[bytes], None]
    ) -> None:
        self._try = send
        self._lost = lost
        self._held: dict[bytes, deque[Outgoing]] = {}

    @property
    def waiting(self) -> bool:
        """Whether any message has to be tried again later."""
        return bool(self._held)

    def unread(self, peer: bytes) -> int:
        """How many messages are held because a client does not read."""
        return len(self._held.get(peer, ()))

    def send(self, message: Outgoing) -> None:
        """Send a message, or hold it until its client reads; progress messages are not held."""
        held = self._held.get(message.peer)
        if held is None:
            result = self._try(message)
            if result is SendResult.DISCONNECTED:
                self._lost(message.peer)
            if result is not SendResult.FULL:
                return
        if message.header["op"] != "progress":
            self._held.setdefault(message.peer, deque()).append(message)

    def send_all(self, fresh: Sequence[Outgoing] = ()) -> None:
        """Try the held messages again, then send the fresh ones."""
        for peer in list(self._held):
            held = self._held.pop(peer)
            while held and (result := self._try(held[0])) is not SendResult.FULL:
                held.popleft()
                if result is SendResult.DISCONNECTED:
                    held.clear()
                    self._lost(peer)
            if held:
                self._held[peer] = held
        for message in fresh:
            self.send(message)
