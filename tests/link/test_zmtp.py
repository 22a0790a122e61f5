"""dreamlink's own ZeroMQ against libzmq, other programs, and noise."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlink.client.client import Client, StaleDaemon
from dreamlink.client.discovery import DaemonInfo
from dreamlink.wire.messages import PROTOCOL
from dreamlink.wire.zmtp import Dealer, Refused, ZmtpError

USER, PASSWORD = "dreamlayer", "secret"
SOON = 20.0
MEGABYTE = 1 << 20


class Peer:
    """A libzmq ROUTER that sends every message back; in a thread of its own."""

    def __init__(self, *, plain: bool = True, **options: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._zap = self._context.socket(zmq.REP)
        self._zap.bind("inproc://zeromq.zap.01")
        self._router = self._context.socket(zmq.ROUTER)
        if plain:
            self._router.setsockopt(zmq.PLAIN_SERVER, 1)
        for name, value in options.items():
            self._router.setsockopt(getattr(zmq, name), value)
        self.port = self._router.bind_to_random_port("tcp://127.0.0.1")
        self._ending = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._zap, zmq.POLLIN)
        poller.register(self._router, zmq.POLLIN)
        while not self._ending:
            ready = dict(poller.poll(20))
            if self._zap in ready:
                version, request, *_, user, password = self._zap.recv_multipart()
                known = (user, password) == (USER.encode(), PASSWORD.encode())
                status = [b"200", b"OK", user] if known else [b"400", b"No", b""]
                self._zap.send_multipart([version, request, *status, b""])
            if self._router in ready:
                self._router.send_multipart(self._router.recv_multipart(copy=False), copy=False)

    def close(self) -> None:
        self._ending = True
        self._thread.join()
        self._context.destroy(linger=0)


class Line:
    """A Dealer and its socket, read and written by turns, as a client does."""

    def __init__(self, port: int, password: str = PASSWORD, limit: int = 64 * MEGABYTE) -> None:
        self.dealer = Dealer(USER, password, limit)
        self.socket = socket.create_connection(("127.0.0.1", port), SOON)
        self.socket.settimeout(0.01)

    def turn(self) -> None:
        """Write and read what goes now; ZmtpError when the protocol breaks, EOFError at the end."""
        with contextlib.suppress(TimeoutError):
            while self.dealer.outbox:
                piece = self.dealer.outbox[0]
                count = self.socket.send(piece)
                self.dealer.outbox.popleft()
                if count < len(piece):
                    self.dealer.outbox.appendleft(piece[count:])
                    break
        with contextlib.suppress(TimeoutError):
            count = self.socket.recv_into(self.dealer.wanted())
            if not count:
                raise EOFError
            self.dealer.received(count)

    def receive(self) -> list[bytes]:
        self.until(lambda: bool(self.dealer.messages))
        return [bytes(frame) for frame in self.dealer.messages.popleft()]

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + SOON
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            self.turn()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    router = Peer()
    yield router
    router.close()


@pytest.fixture
def line(peer: Peer) -> Iterator[Line]:
    connection = Line(peer.port)
    with connection.socket:
        yield connection


@pytest.mark.parametrize("length", [0, 1, 254, 255, 256, 257, 70_000, 5 * MEGABYTE, 40 * MEGABYTE])
def test_frames_of_all_sizes_survive_a_round_trip(line: Line, length: int) -> None:
    frame = os.urandom(length)
    line.dealer.send([frame])
    assert line.receive() == [frame]


def test_a_message_keeps_its_frames_apart_and_in_order(line: Line) -> None:
    frames = [os.urandom(n) for n in (3, 0, 300, 255, 0, 256, 100_000, 0)]
    line.dealer.send(frames)
    line.dealer.send([b"the next one"])
    assert line.receive() == frames
    assert line.receive() == [b"the next one"]


def test_all_kinds_of_buffers_are_sent_as_their_bytes(line: Line) -> None:
    words = memoryview(struct.pack("<4H", 1, 2, 3, 4)).cast("H")
    line.dealer.send([b"a", bytearray(b"b"), memoryview(b"c"), words])
    assert line.receive() == [b"a", b"b", b"c", bytes(words)]


def test_a_message_sent_before_the_handshake_waits_for_it(line: Line) -> None:
    line.dealer.send([b"early"])
    assert not line.dealer.ready
    assert line.receive() == [b"early"]
    assert line.dealer.ready


def test_many_messages_in_both_directions_at_once(line: Line) -> None:
    sent = [[bytes([n % 256]) * n] for n in range(300)]
    for message in sent:
        line.dealer.send(message)
    assert [line.receive() for _ in sent] == sent


def test_pings_are_answered_so_that_libzmq_keeps_the_line() -> None:
    router = Peer(HEARTBEAT_IVL=50, HEARTBEAT_TIMEOUT=400, HEARTBEAT_TTL=400)
    try:
        line = Line(router.port)
        with line.socket:
            line.until(lambda: line.dealer.ready)
            end = time.monotonic() + 1.2
            line.until(lambda: time.monotonic() > end)
            line.dealer.send([b"still here"])
            assert line.receive() == [b"still here"]
    finally:
        router.close()


def test_a_wrong_password_is_refused(peer: Peer) -> None:
    line = Line(peer.port, password="secres")
    with line.socket, pytest.raises(Refused):
        line.until(lambda: False)


def test_a_router_without_passwords_is_another_program() -> None:
    router = Peer(plain=False)
    info = DaemonInfo(PROTOCOL, "0.1.0", f"tcp://127.0.0.1:{router.port}", PASSWORD, 1)
    try:
        with pytest.raises(StaleDaemon):
            Client.connect(info, SOON)
    finally:
        router.close()


def test_a_greeting_without_passwords_is_refused() -> None:
    dealer = Dealer(USER, PASSWORD, 1000)
    with pytest.raises(ZmtpError, match="another ZeroMQ program"):
        feed(dealer, GREETING.replace(b"PLAIN", b"NULL\0"))
    assert not dealer.greeted


def test_a_web_server_is_another_program() -> None:
    with pytest.raises(ZmtpError, match="something else"):
        feed(Dealer(USER, PASSWORD, 1000), b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


# Bytes without a socket.

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"PLAIN".ljust(20, b"\0") + bytes(32)
WELCOME = b"\x04\x08\x07WELCOME"
READY = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER"
HANDSHAKE = GREETING + WELCOME + READY


def feed(dealer: Dealer, data: bytes, cuts: tuple[int, ...] = ()) -> None:
    """Give the bytes in the pieces in which they happen to come."""
    sizes = iter(cuts)
    while data:
        want = dealer.wanted()
        count = min(len(want), len(data), next(sizes, len(want)))
        want[:count] = data[:count]
        data = data[count:]
        dealer.received(count)


def encoded(message: list[bytes]) -> bytes:
    data = b""
    for index, frame in enumerate(message):
        more = int(index + 1 < len(message))
        long = len(frame) > 255
        data += struct.pack(">BQ" if long else ">BB", more | 2 * long, len(frame)) + frame
    return data


def written(dealer: Dealer) -> bytes:
    data = b"".join(bytes(piece) for piece in dealer.outbox)
    dealer.outbox.clear()
    return data


messages = st.lists(
    st.lists(st.one_of(st.binary(max_size=20), st.binary(min_size=250, max_size=300)),
             min_size=1, max_size=4),
    max_size=4,
)  # fmt: skip
pieces = st.lists(st.integers(1, 40), max_size=80).map(tuple)


@given(messages, pieces)
def test_messages_do_not_depend_on_how_the_bytes_are_split(
    sent: list[list[bytes]], cuts: tuple[int, ...]
) -> None:
    dealer = Dealer(USER, PASSWORD, 10_000)
    feed(dealer, HANDSHAKE + b"".join(encoded(message) for message in sent), cuts)
    assert [[bytes(f) for f in message] for message in dealer.messages] == sent


@given(messages)
def test_sent_bytes_equal_those_of_libzmq(sent: list[list[bytes]]) -> None:
    dealer = Dealer(USER, PASSWORD, 10_000)
    feed(dealer, HANDSHAKE)
    written(dealer)
    for message in sent:
        dealer.send(message)
    assert written(dealer) == b"".join(encoded(message) for message in sent)


@settings(max_examples=300)
@given(st.sampled_from([b"", GREETING, GREETING + WELCOME, HANDSHAKE]), st.binary(max_size=400))
def test_noise_causes_at_most_a_protocol_error(start: bytes, noise: bytes) -> None:
    dealer = Dealer(USER, PASSWORD, 10_000)
    with contextlib.suppress(ZmtpError):
        feed(dealer, start + noise)
        assert len(dealer.wanted()) > 0


def test_damaged_conversations_cause_at_most_a_protocol_error() -> None:
    chance = random.Random(7)
    talk = HANDSHAKE + encoded([b"a" * 300, b"b"]) + b"\x04\x07\x04PING\x00\x0a" + encoded([b"c"])
    for _ in range(2000):
        damaged = bytearray(talk)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with contextlib.suppress(ZmtpError):
            feed(Dealer(USER, PASSWORD, 10_000), bytes(damaged))


def test_a_ping_is_answered_with_its_context() -> None:
    dealer = Dealer(USER, PASSWORD, 1000)
    feed(dealer, HANDSHAKE)
    written(dealer)
    feed(dealer, b"\x04\x0a\x04PING\x00\x0aabc")
    assert written(dealer) == b"\x04\x08\x04PONGabc"
    assert not dealer.messages


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x02" + struct.pack(">Q", 1001), "1001 bytes"),
        (b"\x02" + struct.pack(">Q", 1 << 63), "more than is allowed"),
        (b"\x01\x64" + bytes(100) + b"\x02" + struct.pack(">Q", 901), "901 bytes"),
        (b"\x06" + struct.pack(">Q", 1 << 20), "more than is allowed"),
        (b"\x01\x00" * 65, "too many frames"),
        (b"\x80\x00", "unknown flags"),
    ],
    ids=["frame", "absurd frame", "whole message", "command", "frames", "flags"],
)
def test_too_large_or_unknown_frames_are_refused(data: bytes, words: str) -> None:
    dealer = Dealer(USER, PASSWORD, 1000)
    feed(dealer, HANDSHAKE)
    with pytest.raises(ZmtpError, match=words):
        feed(dealer, data)


def test_buffers_grow_as_bytes_arrive_not_as_announced() -> None:
    dealer = Dealer(USER, PASSWORD, 1 << 40)
    feed(dealer, HANDSHAKE)
    tracemalloc.start()
    try:
        feed(dealer, b"\x02" + struct.pack(">Q", 1 << 38) + bytes(1000))
        assert tracemalloc.get_traced_memory()[1] < 100 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_small_frames_are_written_together_and_large_ones_not_copied() -> None:
    dealer = Dealer(USER, PASSWORD, 1000)
    feed(dealer, HANDSHAKE)
    written(dealer)
    large = bytearray(MEGABYTE)
    for _ in range(2):
        dealer.send([b"", b"abc", large])
    assert [len(piece) for piece in dealer.outbox] == [2 + 2 + 3 + 9, MEGABYTE] * 2
    assert dealer.outbox[1].obj is large


def test_the_password_is_not_sent_before_the_peer_has_greeted() -> None:
    dealer = Dealer(USER, PASSWORD, 1000)
    assert PASSWORD.encode() not in written(dealer)
    feed(dealer, GREETING)
    assert written(dealer).endswith(b"\x0adreamlayer\x06secret")


def test_a_message_during_the_handshake_is_refused() -> None:
    with pytest.raises(ZmtpError, match="before the handshake"):
        feed(Dealer(USER, PASSWORD, 1000), GREETING + encoded([b"hello"]))
