"""The fuzzer's attack on the real daemon, over sockets, as clients that went mad.

Greetings and commands take a connection each; headers and geometries go through greeted
connections, several at once. Every case must be refused: by an answer `error`, by ZMTP's ERROR or
by the end of the connection; in between a healthy client must be served.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from random import Random

from dreamlink.client.client import USER, Client
from dreamlink.wire.messages import PROTOCOL, pack, unpack
from dreamlink.wire.zmtp import Dealer
from tests.fuzz import handshakes, requests, wire
from tests.fuzz.growth import Holdings, leak, settled
from tests.fuzz.harnesses import feed
from tests.fuzz.reports import Run
from tests.server.daemons import Daemon, ask

PATIENCE = 20.0  # seconds; what takes longer hangs
AT_ONCE = 14  # messages without an answer on one connection; libzmq keeps 16 for a slow reader
LINES = 8
STRANGERS = 24  # connections at once of which no greeting is right
WARM_UP = 0.1  # the part of the run after which memory is measured the first time
LEAST_WARM_UP = 4000  # cases


def attack(daemon: Daemon, run: Run) -> None:
    """Throw cases at the daemon until the run is over; raises Failed."""
    token = daemon.info.token.encode()
    pid = daemon.process.pid
    with contextlib.ExitStack() as stack:
        healthy = stack.enter_context(contextlib.closing(daemon.connect()))
        lines = [stack.enter_context(contextlib.closing(Line(daemon))) for _ in range(LINES)]
        warm_up = max(LEAST_WARM_UP, run.cases * WARM_UP)
        while run.another():
            _strangers(daemon, token, run)
            _mad(lines, run)
            _healthy(healthy, run)
            if daemon.process.poll() is not None:
                raise run.fail("daemon", daemon.log.read_text()[-500:], "crashed")
            if run.before is None and run.number - run.first > warm_up:
                run.before = Holdings.of(pid)
    if run.before is not None:
        run.after = settled(pid, run.before)
        grown = leak(run.before, run.after)
        if grown:
            raise run.fail("daemon", str(run.after), f"the daemon has grown: {grown}")


class Line:
    """A greeted connection through which anything can be sent."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.open()

    def open(self) -> None:
        info = self._daemon.info
        self._socket = connect(self._daemon)
        self._dealer = Dealer(USER, info.token, 1 << 26)
        self.send([pack({"op": "hello", "id": "h", "protocol": PROTOCOL, "version": "fuzz"})])
        while not self._dealer.messages:
            self._turn()
        self._dealer.messages.clear()

    def send(self, *messages: list[bytes]) -> None:
        for frames in messages:
            self._dealer.send(frames)
        self._write()

    def answers(self, count: int) -> Iterator[str]:
        """What `count` messages are answered with: the op, or "closed"."""
        for _ in range(count):
            try:
                while not self._dealer.messages:
                    self._turn()
            except ConnectionError:
                self.close()
                self.open()
                yield from ["closed"] * count
                return
            yield unpack(self._dealer.messages.popleft()[0])["op"]

    def close(self) -> None:
        self._socket.close()

    def _write(self) -> None:
        pieces = b"".join(self._dealer.outbox)
        self._dealer.outbox.clear()
        self._socket.sendall(pieces)

    def _turn(self) -> None:
        if self._dealer.outbox:
            self._write()
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        feed(self._dealer, data)


def connect(daemon: Daemon) -> socket.socket:
    host, _, port = daemon.info.endpoint.removeprefix("tcp://").rpartition(":")
    connection = socket.create_connection((host, int(port)), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _healthy(client: Client, run: Run) -> None:
    began = time.monotonic()
    if ask(client, "status")["op"] != "status":
        raise run.fail("healthy", "status", "was not answered")
    run.slowest = max(run.slowest, time.monotonic() - began)


def _mad(lines: list[Line], run: Run) -> None:
    """Malformed messages on all greeted connections at once."""
    sent = []
    for line in lines:
        batch = []
        for _ in range(AT_ONCE):
            dice = run.next()
            kind = dice.choice(("header", "geometry"))
            make = requests.header if kind == "header" else requests.geometry
            batch.append((kind, make(dice)))
        try:
            line.send(*(message for _kind, request in batch for message in request))
        except ConnectionError:
            line.close()
            line.open()
        else:
            sent.append((line, batch))
    for line, batch in sent:
        try:
            answers = list(line.answers(len(batch)))
        except TimeoutError:
            kind, request = batch[0]
            raise run.fail(kind, request, "it or the next 13: no answer") from None
        for (kind, request), op in zip(batch, answers, strict=True):
            if op not in ("error", "closed"):
                raise run.fail(kind, request, f"answered with {op}")
            run.note(kind, op)


def _strangers(daemon: Daemon, token: bytes, run: Run) -> None:
    """Connections that don't come as far as a message, a few at a time."""
    crowd = []
    for _ in range(STRANGERS):
        dice = run.next()
        kind = dice.choice(("greeting", "command"))
        crowd.append((kind, dice, connect(daemon)))
    for kind, dice, connection in crowd:
        with connection:
            turns = [handshakes.greeting(dice)]
            if kind == "command":
                turns = [wire.greeting(), *_commands(dice, token)]
            try:
                run.note(kind, _refusal(connection, turns))
            except (TimeoutError, AssertionError) as error:
                raise run.fail(kind, turns, str(error) or "accepted") from error


def _commands(dice: Random, token: bytes) -> list[bytes]:
    if dice.random() < 0.1:  # the handshake is right, the first frame is not
        size = dice.choice((2**63, 2**64 - 1, dice.randint((8 << 30) + 1, 2**64 - 1)))
        flags = dice.choice((2, 3))
        oversized = bytes([flags]) + size.to_bytes(8, "big")
        return [wire.hello(b"dreamlayer", token), wire.metadata(), oversized]
    return handshakes.client_commands(dice, token)


ANSWERS = (wire.GREETING_SIZE, len(handshakes.WELCOME), 30)  # bytes: greeting, WELCOME, READY


def _refusal(connection: socket.socket, turns: list[bytes]) -> str:
    """How the last of `turns` was refused, each sent when the one before it was answered."""
    for turn, size in zip(turns[:-1], ANSWERS, strict=False):
        connection.sendall(turn)
        heard = 0
        while heard < size:
            data = connection.recv(4096)
            if not data:
                raise AssertionError(f"closed after {turn!r}, which was right")
            heard += len(data)
    with contextlib.suppress(ConnectionError):
        connection.sendall(turns[-1])
        while data := connection.recv(4096):
            if b"^RROR" in data or b"\x05ERROR" in data:
                return "ERROR"
            if b"READY" in data or (len(turns) < 3 and b"WELCOME" in data):
                raise AssertionError("accepted")
    return "closed"
