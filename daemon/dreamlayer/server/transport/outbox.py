"""Outgoing messages: never blocks on a slow client, and keeps the order of each one's messages."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from typing import Protocol

from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.packing import Packed, packed
from dreamlayer.server.transport.principal import Peer, Principal, share

log = logging.getLogger(__name__)

UNREAD_BYTES = 1 << 30  # of the answers to one principal that it has not read; a guest: a quarter


class SendResult(Enum):
    """The result of trying to send a message."""

    SENT = auto()
    FULL = auto()  # the client's queue is full
    DISCONNECTED = auto()


class Line(Protocol):
    """The way to the clients."""

    def send(self, message: Packed) -> SendResult:
        """Try to send a message without waiting."""

    def in_flight(self, principal: Principal) -> Iterable[int]:
        """Bytes of each message on its way to a principal that is still in memory."""

    def hang_up(self, peer: Peer) -> None:
        """End a connection."""


class Outbox:
    """Sends messages at once where possible, and holds those for clients that don't read.

    A client that leaves too many of them unread is disconnected: it may come back and fetch what
    became of its dreams.

    Args:
        line: the way to the clients.
        lost: called with a client that turned out to be disconnected.
        unread_max: how many messages are held for one connection.
    """

    def __init__(self, line: Line, lost: Callable[[Peer], None], unread_max: int) -> None:
        self._line = line
        self._lost = lost
        self._unread_max = unread_max
        self._held: dict[Peer, deque[Packed]] = {}
        self._closing: set[Peer] = set()  # disconnected here; nothing more is held for them

    @property
    def waiting(self) -> bool:
        """Whether any message has to be tried again later."""
        return bool(self._held)

    def unread(self, peer: Peer) -> int:
        """How many messages are held because a client does not read."""
        return len(self._held.get(peer, ()))

    def unread_bytes(self, principal: Principal) -> int:
        """Bytes of the answers that a principal has not read, besides the largest of them.

        One is always being read, and may be as large as a picture.
        """
        sizes = [*self._line.in_flight(principal), *self._held_sizes(principal)]
        return sum(sizes) - max(sizes, default=0)

    def send(self, message: Outgoing) -> None:
        """Send a message, or hold it until its client reads; progress messages are not held."""
        if message.peer in self._held and message.header["op"] == "progress":
            return
        answer = packed(message)
        if message.peer not in self._held:
            result = self._line.send(answer)
            if result is SendResult.DISCONNECTED:
                self._lost(message.peer)
            if result is not SendResult.FULL:
                return
        if message.header["op"] != "progress":
            self._hold(answer)

    def send_all(self, fresh: Sequence[Outgoing] = ()) -> None:
        """Try the held messages again, then send the fresh ones."""
        for peer in list(self._held):
            held = self._held.pop(peer)
            while held and (result := self._line.send(held[0])) is not SendResult.FULL:
                held.popleft()
                if result is SendResult.DISCONNECTED:
                    held.clear()
                    self._lost(peer)
            if held:
                self._held[peer] = held
        for message in fresh:
            self.send(message)

    def forget(self, peer: Peer) -> None:
        """Drop the messages for a connection that has ended."""
        self._held.pop(peer, None)
        self._closing.discard(peer)

    def _hold(self, message: Packed) -> None:
        peer = message.peer
        if peer in self._closing:
            return
        self._held.setdefault(peer, deque()).append(message)
        if self.unread(peer) > self._unread_max or self._guest_holds_too_much(peer.principal):
            log.warning("a client does not read its answers and is disconnected")
            self._closing.add(peer)
            del self._held[peer]
            self._line.hang_up(peer)

    def _guest_holds_too_much(self, principal: Principal) -> bool:
        """The local user's answers are bounded by the dreams that were admitted."""
        if principal.is_local:
            return False
        sizes = self._held_sizes(principal)
        return sum(sizes) - max(sizes) > share(UNREAD_BYTES, principal)

    def _held_sizes(self, principal: Principal) -> list[int]:
        return [
            message.nbytes
            for peer, held in self._held.items()
            if peer.principal == principal
            for message in held
        ]
