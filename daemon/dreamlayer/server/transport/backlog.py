"""How much libzmq holds of messages that guests have begun and not completed.

libzmq collects all frames of a message before it hands over the first, and has no limit on their
number. The system counts the bytes that a connection has received; what was received since the last
complete message is what libzmq may be holding.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import Counter

from dreamlayer.server.transport.principal import Principal

BACKLOG_MAX = 32 << 20  # bytes of a guest's incomplete messages; an honest one is 2 MiB long
CHECK_EVERY = 0.1  # seconds
RECEIVED = struct.Struct("=Q")  # tcpi_bytes_received of Linux's tcp_info …
RECEIVED_AT = 128  # … and where it is


class Backlogs:
    """Watches the connections of guests."""

    def __init__(self) -> None:
        # By descriptor: what its connection had received at its last message.
        self._watched: dict[int, int] = {}
        self._owners: dict[int, Principal] = {}  # those that have completed a message

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, descriptor: int) -> None:
        """Begin with a connection, which may not be authenticated yet."""
        self._watched[descriptor] = 0

    def note_message(self, descriptor: int, owner: Principal) -> None:
        """Note that a connection has completed a message."""
        if descriptor in self._watched:
            self._watched[descriptor] = received(descriptor)
            self._owners[descriptor] = owner

    def forget(self, descriptor: int) -> None:
        """End with a connection."""
        self._watched.pop(descriptor, None)
        self._owners.pop(descriptor, None)

    def excessive(self) -> list[int]:
        """The connections to end: for each guest that is over the limit the largest backlog."""
        totals: Counter[Principal | None] = Counter()
        largest: dict[Principal | None, tuple[int, int]] = {}
        for descriptor, before in self._watched.items():
            held = max(0, received(descriptor) - before)
            owner = self._owners.get(descriptor)
            totals[owner] += held
            largest[owner] = max(largest.get(owner, (0, 0)), (held, descriptor))
        return [largest[owner][1] for owner, total in totals.items() if total > BACKLOG_MAX]


def received(descriptor: int) -> int:
    """Bytes that a connection has received since it was made; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as connection:
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:  # it has ended
        return 0
    if len(told) < RECEIVED_AT + RECEIVED.size:  # before Linux 4.1
        return 0
    count: int = RECEIVED.unpack_from(told, RECEIVED_AT)[0]
    return count
