"""The door: who comes in, who is refused and why, who has left.

libzmq asks here (ZAP, ZeroMQ's RFC 27) before it reads a message of a new connection, and tells
here what becomes of each. On the loopback a connection shows the token (PLAIN, RFC 24), from other
computers a key that was allowed (CURVE, RFC 26). pyzmq's own authenticator needs an asyncio thread
(which on Windows needs tornado) and logs passwords when debugging; this is all that is wanted of
it.
"""

from __future__ import annotations

import hmac
import logging
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import zmq
from zmq.utils.monitor import recv_monitor_message

from dreamlayer.server.config.address import Address
from dreamlayer.server.transport.keys import Pair
from dreamlink.client.client import USER
from dreamlink.wire.messages import Header

log = logging.getLogger(__name__)

LOCAL, REMOTE = b"local", b"remote"  # ZAP's domains
OK, STRANGER, FULL = b"200", b"400", b"500"  # ZAP's codes, of which a client learns
WRONG_TOKEN = "wrong token"  # noqa: S105 - the kinds of refusals, as `status` tells them
WRONG_KEY = "key not allowed"
TOO_MANY = "too many connections"
MECHANISM = "without token or key"
BROKEN = "broken handshake"
UNFINISHED = "unfinished handshake"
NOT_ZEROMQ = "not ZeroMQ"
MISMATCH = 0x11000002  # libzmq's number for another mechanism than ours
HEARTBEAT = 5000  # milliseconds between two signs of life of another computer …
HEARTBEAT_TIMEOUT = 20000  # … and without one until its connection counts as broken
EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


class Listening(NamedTuple):
    """Where to listen to other computers, and the key pair that shows who this one is."""

    address: Address
    pair: Pair


def open_to_others(socket: zmq.Socket[bytes], listening: Listening) -> None:
    """Let other computers in, too, by their keys: CURVE and nothing else at this address.

    libzmq takes a socket's options at the time of `bind`: those set here are not for the loopback.
    Raises OSError if the address can't be listened on.
    """
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, listening.pair.secret)
    socket.setsockopt(zmq.ZAP_DOMAIN, REMOTE)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT)
    socket.setsockopt(zmq.IPV6, int(":" in listening.address.host))
    try:
        socket.bind(listening.address.endpoint)
    except zmq.ZMQError as error:
        raise OSError(
            f"Can't listen on {listening.address} ({error.strerror}): give an address of this"
            " computer's, and a port that is free."
        ) from error


class Door:
    """The daemon's side of all connections' beginnings and ends.

    Args:
        context: of the socket, before that is bound: the questions come through it.
        token: what clients on this computer must show.
        connections_max: how many clients may be in at a time.
        name_of: the name under which another computer's key is allowed, or None.

    Attributes:
        refused: how many connections were refused, by kind.
        asked: the socket with libzmq's questions; call `answer` when it can be read.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        token: str,
        connections_max: int,
        name_of: Callable[[bytes], str | None],
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.asked = context.socket(zmq.REP)
        self.asked.bind("inproc://zeromq.zap.01")
        self._expected = (USER.encode(), token.encode())
        self._connections_max = connections_max
        self._name_of = name_of
        # The descriptors of all connections, greeted or not; how many were sent away before each.
        self._open: dict[int, int] = {}
        self._spoken: set[int] = set()  # those of them that have sent a message
        self._silent = 0  # that came in and have not sent one yet
        self._pending: str | None = None  # why the connection that ends next was refused
        self._sent_away = 0  # connections that were refused here and have not ended yet
        self._sent_away_ever = 0  # as the news tell

    def watch(self, socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
        """Begin to follow what happens to the connections of `socket`: before it is bound.

        Returns the socket with the news; call `departed` when it can be read.
        """
        self._news = socket.get_monitor_socket(EVENTS)
        return self._news

    def status(self) -> Header:
        """What `status` tells: how many clients are in, and how many were refused, by kind."""
        return {"connections": self.connections, "refused": dict(self.refused)}

    @property
    def connections(self) -> int:
        """How many clients are in."""
        return len(self._spoken) + self._silent

    def answer(self) -> None:
        """Answer one question of libzmq's: may this connection come in?"""
        version, request, domain, address, _identity, mechanism, *shown = self.asked.recv_multipart(
            zmq.DONTWAIT
        )
        user, refusal = self._judge(domain, mechanism, shown)
        code, said = OK, b"OK"
        if refusal is None and self.connections >= self._connections_max:
            refusal, code, said = TOO_MANY, FULL, b"Too many connections"
        elif refusal is not None:
            code, said = STRANGER, b"Not allowed"
        if refusal is not None:
            user = ""
            self._sent_away += 1
            self._count(refusal, f" from {address.decode('ascii', 'replace')}")
        self.asked.send_multipart([version, request, code, said, user.encode(), b""])

    def _judge(self, domain: bytes, mechanism: bytes, shown: list[bytes]) -> tuple[str, str | None]:
        """The name of whoever shows this, and why it is refused or None."""
        if domain == REMOTE:
            name = self._name_of(shown[0]) if mechanism == b"CURVE" and shown else None
            return name or "", None if name else WRONG_KEY
        known = mechanism == b"PLAIN" and len(shown) == len(self._expected)
        for word, expected in zip(shown, self._expected, strict=False):
            known &= hmac.compare_digest(word, expected)
        return USER, None if known else WRONG_TOKEN

    def spoke(self, descriptor: int) -> None:
        """A message has come from a connection that had sent none before."""
        if descriptor in self._open and descriptor not in self._spoken:
            self._spoken.add(descriptor)
            self._silent = max(0, self._silent - 1)

    def departed(self) -> list[int]:
        """The descriptors of the connections that have ended since the last call."""
        gone = []
        while self._news.poll(0):
            news = recv_monitor_message(self._news)
            event, value = int(news["event"]), int(news["value"])
            if event == zmq.EVENT_ACCEPTED:
                self._open[value] = self._sent_away_ever
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._silent += 1
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._sent_away_ever += 1
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self._pending = MECHANISM if value == MISMATCH else BROKEN
            elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self._pending = UNFINISHED
            elif event == zmq.EVENT_DISCONNECTED:
                self._end(value)
                gone.append(value)
        if len(self._open) == self.connections:  # one that was sent away had ended before
            self._sent_away = 0
        return gone

    def _end(self, descriptor: int) -> None:
        """Find out what a connection was that has ended; libzmq doesn't say it of each.

        All news come from one thread, in order, and that of a broken handshake right before the
        end. What ends without a word and neither came in nor was sent away did not speak ZeroMQ
        at all. Of connections that end at the same time one may be taken for another.
        """
        others_sent_away = self._open.pop(descriptor, 0)
        if descriptor in self._spoken:
            self._spoken.discard(descriptor)
        elif self._sent_away and (
            self._pending == UNFINISHED
            or (self._pending is None and self._sent_away_ever > others_sent_away)
        ):
            self._sent_away -= 1  # counted when it was refused
        elif self._pending is not None:
            self._count(self._pending)
        elif self._silent:
            self._silent -= 1
        else:
            self._count(NOT_ZEROMQ)
        self._pending = None

    def _count(self, kind: str, where: str = "") -> None:
        self.refused[kind] += 1
        if self.refused[kind].bit_count() == 1:  # the 1st, 2nd, 4th, 8th …: a log isn't filled so
            log.warning("refused a connection%s: %s (%d)", where, kind, self.refused[kind])

    def close(self) -> None:
        self._news.close(linger=0)
        self.asked.close(linger=0)
