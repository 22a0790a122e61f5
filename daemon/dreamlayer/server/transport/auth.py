"""Authentication of connections, and a count of those that are open or were refused.

libzmq asks here (ZAP, ZeroMQ's RFC 27) before it reads a message of a new connection, and reports
what happens to each connection. On the loopback a connection must prove that it knows the token
(PLAIN, RFC 24, with the proof as password), from other computers present an allowed key (CURVE, RFC
26). pyzmq's own authenticator needs an asyncio thread (which on Windows needs tornado) and logs
passwords at debug level; this is the part of it that the daemon needs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import zmq
from zmq.utils.monitor import recv_monitor_message

from dreamlayer.server.config.address import Address
from dreamlayer.server.transport.keys import KeyPair
from dreamlayer.server.transport.token_proof import TokenProof
from dreamlink.client.client import USER
from dreamlink.wire.messages import Header

log = logging.getLogger(__name__)

LOCAL, REMOTE = b"local", b"remote"  # ZAP's domains
OK, STRANGER, FULL = b"200", b"400", b"500"  # ZAP's codes, which are sent to the client
WRONG_TOKEN = "wrong token"  # noqa: S105 - a kind of refusal, as `status` lists it
WRONG_KEY = "key not allowed"
TOO_MANY = "too many connections"
MECHANISM = "without token or key"
BROKEN = "broken handshake"
UNFINISHED = "unfinished handshake"
NOT_ZEROMQ = "not ZeroMQ"
MISMATCH = 0x11000002  # libzmq's code for a mechanism other than ours
HEARTBEAT = 5000  # milliseconds between two heartbeats of another computer …
HEARTBEAT_TIMEOUT = 20000  # … and without one until its connection counts as lost
EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


class RemoteListener(NamedTuple):
    """The address where other computers may connect, and the key pair that identifies this one."""

    address: Address
    pair: KeyPair


def listen_to_remotes(socket: zmq.Socket[bytes], listening: RemoteListener) -> None:
    """Let other computers connect at an address, with CURVE and an allowed key only.

    libzmq reads a socket's options at the time of `bind`, so those set here don't apply to the
    loopback address, which was bound before.
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
            f"Can't listen on {listening.address} ({error.strerror}): use an address of this"
            " computer and a free port."
        ) from error


class Authenticator:
    """Decides which connections are accepted, and tracks those that are open.

    Args:
        context: of the daemon's socket, which must not be bound yet.
        connections_max: how many clients may be connected at a time.
        name_of: the name under which another computer's key is allowed, or None.

    Attributes:
        refused: how many connections were refused, by kind.
        zap_socket: receives libzmq's requests; call `answer_zap` when it is readable.
        local: what clients on this computer must prove; set before the first of them connects.
    """

    local: TokenProof

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        connections_max: int,
        name_of: Callable[[bytes], str | None],
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.zap_socket = context.socket(zmq.REP)
        self.zap_socket.bind("inproc://zeromq.zap.01")
        self._connections_max = connections_max
        self._name_of = name_of
        # By descriptor of an open connection, accepted or not: how many were refused before it.
        self._open: dict[int, int] = {}
        self._spoken: set[int] = set()  # descriptors of connections that have sent a message
        self._silent = 0  # accepted connections that have not sent a message yet
        self._pending: str | None = None  # why the connection that ends next was refused
        self._refused_open = 0  # connections that were refused here and have not ended yet
        self._refused_total = 0  # according to the monitor's events

    def watch(self, socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
        """Start to monitor the connections of `socket`, which must not be bound yet.

        Returns the monitor socket; call `closed_connections` when it is readable.
        """
        self._monitor = socket.get_monitor_socket(EVENTS)
        return self._monitor

    def status(self) -> Header:
        """The fields of `status` about connections: how many are open or were refused."""
        return {"connections": self.connections, "refused": dict(self.refused)}

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._spoken) + self._silent

    def answer_zap(self) -> None:
        """Answer one of libzmq's requests: accept or refuse a connection."""
        version, request, domain, address, _identity, mechanism, *shown = (
            self.zap_socket.recv_multipart(zmq.DONTWAIT)
        )
        user, refusal = self._judge(domain, mechanism, shown)
        code, reason = OK, b"OK"
        if refusal is None and self.connections >= self._connections_max:
            refusal, code, reason = TOO_MANY, FULL, b"Too many connections"
        elif refusal is not None:
            code, reason = STRANGER, b"Not allowed"
        if refusal is not None:
            user = ""
            self._refused_open += 1
            self._count(refusal, f" from {address.decode('ascii', 'replace')}")
        self.zap_socket.send_multipart([version, request, code, reason, user.encode(), b""])

    def _judge(self, domain: bytes, mechanism: bytes, shown: list[bytes]) -> tuple[str, str | None]:
        """The user name for these credentials, and why they are refused, or None."""
        if domain == REMOTE:
            name = self._name_of(shown[0]) if mechanism == b"CURVE" and shown else None
            return name or "", None if name else WRONG_KEY
        is_plain = mechanism == b"PLAIN" and len(shown) == 2  # user and password
        correct = is_plain and shown[0] == USER.encode() and self.local.admits(shown[1])
        return USER, None if correct else WRONG_TOKEN

    def note_message(self, descriptor: int) -> None:
        """Note the first message of a connection."""
        if descriptor in self._open and descriptor not in self._spoken:
            self._spoken.add(descriptor)
            self._silent = max(0, self._silent - 1)

    def closed_connections(self) -> list[int]:
        """The descriptors of the connections that have ended since the last call."""
        closed = []
        while self._monitor.poll(0):
            report = recv_monitor_message(self._monitor)
            event, value = int(report["event"]), int(report["value"])
            if event == zmq.EVENT_ACCEPTED:
                self._open[value] = self._refused_total
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._silent += 1
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._refused_total += 1
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self._pending = MECHANISM if value == MISMATCH else BROKEN
            elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self._pending = UNFINISHED
            elif event == zmq.EVENT_DISCONNECTED:
                self._end(value)
                closed.append(value)
        if len(self._open) == self.connections:  # no refused connection is open any more
            self._refused_open = 0
        return closed

    def _end(self, descriptor: int) -> None:
        """Find out whether a connection that has ended was accepted; libzmq doesn't always say.

        All events come from one thread, in order, and a failed handshake is reported right before
        the end. A connection that ends without such a report, and was neither accepted nor refused,
        did not speak ZeroMQ at all. Connections that end at the same time may be confused.
        """
        refused_before = self._open.pop(descriptor, 0)
        if descriptor in self._spoken:
            self._spoken.discard(descriptor)
        elif self._refused_open and (
            self._pending == UNFINISHED
            or (self._pending is None and self._refused_total > refused_before)
        ):
            self._refused_open -= 1  # it was counted when it was refused
        elif self._pending is not None:
            self._count(self._pending)
        elif self._silent:
            self._silent -= 1
        else:
            self._count(NOT_ZEROMQ)
        self._pending = None

    def _count(self, kind: str, where: str = "") -> None:
        self.refused[kind] += 1
        if self.refused[kind].bit_count() == 1:  # the 1st, 2nd, 4th, 8th …, to keep the log short
            log.warning("refused a connection%s: %s (%d)", where, kind, self.refused[kind])

    def close(self) -> None:
        self._monitor.close(linger=0)
        self.zap_socket.close(linger=0)
