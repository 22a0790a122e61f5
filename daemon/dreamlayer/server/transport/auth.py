"""Authentication of connections, and a count of those that are open or were refused.

libzmq asks here (ZAP, ZeroMQ's RFC 27) before it reads a message of a new connection, and reports
what happens to each connection. On the loopback a connection must prove that it knows the token
(PLAIN, RFC 24, with the proof as password), from other computers present an allowed key (CURVE, RFC
26). pyzmq's own authenticator needs an asyncio thread (which on Windows needs tornado) and logs
passwords at debug level; this is the part of it that the daemon needs.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import zmq
from zmq.utils.monitor import recv_monitor_message

from dreamlayer.server.transport.backlog import CHECK_EVERY, Backlogs
from dreamlayer.server.transport.principal import LOCAL_USER, Principal, guest, room
from dreamlayer.server.transport.remote_listener import REMOTE
from dreamlayer.server.transport.token_proof import TokenProof
from dreamlink.client.client import USER
from dreamlink.wire.messages import Header

log = logging.getLogger(__name__)

LOCAL = b"local"  # ZAP's domain of connections from this computer
OK, STRANGER, FULL = b"200", b"400", b"500"  # ZAP's codes, which are sent to the client
WRONG_TOKEN = "wrong token"  # noqa: S105 - a kind of refusal, as `status` lists it
WRONG_KEY = "key not allowed"
TOO_MANY = "too many connections"
MECHANISM = "without token or key"
BROKEN = "broken handshake"
UNFINISHED = "unfinished handshake"
NOT_ZEROMQ = "not ZeroMQ"
MISMATCH = 0x11000002  # libzmq's code for a mechanism other than ours
SPEAK_WITHIN = 10.0  # seconds until a connection of another computer must have sent a message
EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


class _Accepted(NamedTuple):
    """A TCP connection, authenticated or not.

    Attributes:
        refused_before: how many connections were refused before it.
        remote: whether it came to the address for other computers.
        since: when, on time.monotonic()'s clock.
    """

    refused_before: int
    remote: bool
    since: float


class Authenticator:
    """Decides which connections are accepted, and tracks those that are open.

    Args:
        context: of the daemon's socket, which must not be bound yet.
        connections_max: how many clients of the local user may be connected at a time.
        name_of: the name under which another computer's key is allowed, or None.

    Attributes:
        refused: how many connections were refused, by kind.
        zap_socket: receives libzmq's requests; call `answer_zap` when it is readable.
    """

    _proof: TokenProof  # what clients on this computer must prove

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
        self._loopback = b""  # the address for clients on this computer
        self._open: dict[int, _Accepted] = {}  # by descriptor
        self._closed: list[int] = []  # descriptors of connections that have ended
        self._spoken: dict[int, Principal] = {}  # by descriptor of those that have sent a message
        # Accepted connections that have not sent a message yet, by whether they are remote.
        self._silent: Counter[bool] = Counter()
        self._arriving: deque[tuple[float, Principal]] = deque()  # guests just accepted, and when
        self._backlogs = Backlogs()
        self._backlogs_checked = 0.0
        self._pending: str | None = None  # why the connection that ends next was refused
        self._refused_open = 0  # connections that were refused here and have not ended yet
        self._refused_total = 0  # according to the monitor's events

    def watch(self, router: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
        """Start to monitor the connections of `router`, which must not be bound yet.

        Returns the monitor socket; call `closed_connections` when it is readable.
        """
        self._monitor = router.get_monitor_socket(EVENTS)
        return self._monitor

    def note_loopback(self, endpoint: str, proof: TokenProof) -> None:
        """Note the address for clients on this computer, and what they must prove.

        All other addresses are for other computers.
        """
        self._loopback, self._proof = endpoint.encode(), proof

    def status(self, viewer: Principal) -> Header:
        """The fields of `status` about connections: how many are open or were refused.

        A guest learns about its own only.
        """
        if viewer.is_local:
            return {"connections": self.connections, "refused": dict(self.refused)}
        return {"connections": self._used()[viewer]}

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._spoken) + self._silent.total()

    @property
    def has_guests(self) -> bool:
        """Whether any connection is open at the address for other computers."""
        return bool(self._backlogs)

    def _used(self) -> Counter[Principal]:
        """How many connections each principal has."""
        used = Counter(self._spoken.values())
        used.update(principal for _since, principal in self._arriving)
        used[LOCAL_USER] += self._silent[False]
        return used

    def answer_zap(self) -> None:
        """Answer one of libzmq's requests: accept or refuse a connection."""
        version, request, domain, address, _identity, mechanism, *shown = (
            self.zap_socket.recv_multipart(zmq.DONTWAIT)
        )
        principal, refusal = self._judge(domain, mechanism, shown)
        code, reason = OK, b"OK"
        if refusal is None and room(self._connections_max, principal, self._used()) <= 0:
            refusal, code, reason = TOO_MANY, FULL, b"Too many connections"
        elif refusal is not None:
            code, reason = STRANGER, b"Not allowed"
        user = principal.user_id
        if refusal is None and not principal.is_local:
            self._arriving.append((time.monotonic(), principal))
        if refusal is not None:
            user = ""
            self._refused_open += 1
            self._count(refusal, f" from {address.decode('ascii', 'replace')}")
        self.zap_socket.send_multipart([version, request, code, reason, user.encode(), b""])

    def _judge(
        self, domain: bytes, mechanism: bytes, shown: list[bytes]
    ) -> tuple[Principal, str | None]:
        """Who has these credentials, and why they are refused, or None."""
        if domain == REMOTE:
            key = shown[0] if mechanism == b"CURVE" and shown else b""
            return guest(key), None if self._name_of(key) else WRONG_KEY
        is_plain = mechanism == b"PLAIN" and len(shown) == 2  # user and password
        correct = is_plain and shown[0] == USER.encode() and self._proof.admits(shown[1])
        return LOCAL_USER, None if correct else WRONG_TOKEN

    def note_message(self, descriptor: int, principal: Principal) -> None:
        """Note a message of a connection, and whose it is."""
        self._backlogs.note_message(descriptor, principal)
        accepted = self._open.get(descriptor)
        if accepted is None or descriptor in self._spoken:
            return
        self._spoken[descriptor] = principal
        self._silent[accepted.remote] = max(0, self._silent[accepted.remote] - 1)
        arrived = next((one for one in self._arriving if one[1] == principal), None)
        if arrived is not None:
            self._arriving.remove(arrived)

    def end_abuse(self) -> None:
        """End connections of other computers that stay silent, or make libzmq hold too much.

        Which guest a connection belongs to is known with its first message only; until then, and
        for `SPEAK_WITHIN` if another one is silent, too, it counts for the one just accepted.
        """
        now = time.monotonic()
        if now < self._backlogs_checked + CHECK_EVERY:
            return
        self._backlogs_checked = now
        while self._arriving and self._arriving[0][0] < now - SPEAK_WITHIN:
            self._arriving.popleft()
        for descriptor in list(self._silent_guests()):
            if descriptor in self._open and self._open[descriptor].since < now - SPEAK_WITHIN:
                self.hang_up(descriptor)
        for descriptor in self._backlogs.excessive():
            log.warning("another computer sends a message without end and is disconnected")
            self.hang_up(descriptor)

    def hang_up(self, descriptor: int) -> None:
        """End a connection; libzmq then reports it as any other that has ended.

        libzmq may have closed it meanwhile, and opened another one under its descriptor. It
        reports an end before it closes, so a copy is made first, and the reports are read then.
        """
        accepted = self._open.get(descriptor)
        with (
            contextlib.suppress(OSError),
            socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as connection,
        ):
            self._read_events()
            if accepted is not None and self._open.get(descriptor) is accepted:
                connection.shutdown(socket.SHUT_RDWR)

    def closed_connections(self) -> list[int]:
        """The descriptors of the connections that have ended since the last call."""
        self._read_events()
        closed, self._closed = self._closed, []
        return closed

    def _read_events(self) -> None:
        while self._monitor.poll(0):
            report = recv_monitor_message(self._monitor)
            event, value = int(report["event"]), int(report["value"])
            remote = report["endpoint"] != self._loopback
            if event == zmq.EVENT_ACCEPTED:
                self._open[value] = _Accepted(self._refused_total, remote, time.monotonic())
                if remote:
                    self._backlogs.watch(value)
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._silent[remote] += 1
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._refused_total += 1
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self._pending = MECHANISM if value == MISMATCH else BROKEN
            elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self._pending = UNFINISHED
            elif event == zmq.EVENT_DISCONNECTED:
                self._end(value)
                self._closed.append(value)
        if len(self._open) == self.connections:  # no refused connection is open any more
            self._refused_open = 0
        if not any(self._silent_guests()):
            self._arriving.clear()

    def _silent_guests(self) -> Iterator[int]:
        """Descriptors of the connections of other computers that have sent no message yet."""
        for descriptor, accepted in self._open.items():
            if accepted.remote and descriptor not in self._spoken:
                yield descriptor

    def _end(self, descriptor: int) -> None:
        """Find out whether a connection that has ended was accepted; libzmq doesn't always say.

        All events come from one thread, in order, and a failed handshake is reported right before
        the end. A connection that ends without such a report, and was neither accepted nor refused,
        did not speak ZeroMQ at all. Connections that end at the same time may be confused.
        """
        accepted = self._open.pop(descriptor, _Accepted(0, False, 0.0))
        self._backlogs.forget(descriptor)
        if descriptor in self._spoken:
            del self._spoken[descriptor]
        elif self._refused_open and (
            self._pending == UNFINISHED
            or (self._pending is None and self._refused_total > accepted.refused_before)
        ):
            self._refused_open -= 1  # it was counted when it was refused
        elif self._pending is not None:
            self._count(self._pending)
        elif self._silent[accepted.remote]:
            self._silent[accepted.remote] -= 1
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
