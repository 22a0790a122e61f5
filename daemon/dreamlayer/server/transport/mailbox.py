"""Messages from other threads to the I/O thread, with a socket that wakes it."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from dreamlayer.server.transport.principal import Peer
from dreamlink.wire.messages import Frame, Header

Post = TypeVar("Post")


class Outgoing(NamedTuple):
    """A message and the connection to send it to."""

    peer: Peer
    header: Header
    frames: Sequence[Frame] = ()


class Mailbox(Generic[Post]):
    """A queue that any thread fills and one thread polls and drains.

    A byte on a socket pair wakes that thread, also for signals: pass `waker_fileno()` to
    `signal.set_wakeup_fd`.
    """

    def __init__(self) -> None:
        self._queue: deque[Post] = deque()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def post(self, message: Post) -> None:
        self._queue.append(message)
        self.wake()

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # full: the thread wakes anyway; closed: it has ended
            self._writer.send(b"\0")

    def drain(self) -> list[Post]:
        """All messages posted so far, in order."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        messages = []
        while self._queue:
            messages.append(self._queue.popleft())
        return messages

    def fileno(self) -> int:
        return self._reader.fileno()

    def waker_fileno(self) -> int:
        return self._writer.fileno()

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
