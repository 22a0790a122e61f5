"""Faults of the connection: data that is cut, out of order, too slow, or missing."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from dreamlink.client import discovery, launch
from dreamlink.client.client import USER, Client, LinkError
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import State
from dreamlink.wire.messages import PROTOCOL, DreamRequest, Header, pack, unpack
from dreamlink.wire.zmtp import Dealer
from tests.faults.catalogue import fault
from tests.faults.painter import Painter, dreamed
from tests.fuzz import wire
from tests.fuzz.growth import Holdings
from tests.fuzz.harnesses import feed
from tests.server.daemons import SOON, ask

LARGE = 3000  # pixels; a result that no socket takes at once


class Raw:
    """A greeted connection on which anything can be sent, byte by byte."""

    def __init__(self) -> None:
        info = discovery.find()
        assert info is not None
        host, _, port = info.endpoint.removeprefix("tcp://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), SOON)
        self.dealer = Dealer(USER, info.token, 1 << 30)
        self.dealer.send([pack({"op": "hello", "id": "h", "protocol": PROTOCOL, "version": "0"})])
        assert self.receive()["op"] == "hello"

    def receive(self) -> Header:
        while not self.dealer.messages:
            for piece in self.dealer.outbox:
                self.socket.sendall(piece)
            self.dealer.outbox.clear()
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            feed(self.dealer, data)
        return unpack(self.dealer.messages.popleft()[0])

    def send(self, *messages: list[bytes]) -> None:
        for frames in messages:
            self.socket.sendall(wire.message(frames))

    def end(self) -> None:
        """The daemon closes its side when this one is closed."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(1 << 16):
                pass


@pytest.fixture
def raw(painter: Painter) -> Iterator[Raw]:
    assert painter.dream().state is State.DONE
    painter.layers.clear()
    connection = Raw()
    with connection.socket:
        yield connection


def announced(painter: Painter, tiles: int = 1) -> tuple[DreamRequest, list[bytes]]:
    """A dream's request, and the header that announces its pixels."""
    recipe = Recipe.of({"channels": str(tiles)})
    request = DreamRequest(recipe, painter.picture, painter.picture.region)
    return request, [pack({**request.header(), "frames": [painter.picture.nbytes]})]


def served(painter: Painter) -> None:
    """Another client is served beside what happens."""
    dreamed(painter, painter.dream())


@fault("frame cut off", "the connection ends within a frame", "connection closed; others served")
def test_a_frame_cut_off(painter: Painter, raw: Raw) -> None:
    whole = wire.message(announced(painter)[1])
    raw.socket.sendall(whole[: len(whole) // 2])
    raw.end()
    served(painter)


@fault(
    "message cut off",
    "the second frame of a message never arrives",
    "connection closed; others served",
)
def test_a_message_cut_off(painter: Painter, raw: Raw) -> None:
    raw.send(announced(painter)[1])
    raw.socket.sendall(wire.frame(b"", wire.MORE))
    raw.end()
    served(painter)


@fault(
    "pieces before their header",
    "pixels that no header announced",
    "refused with an error; connection goes on",
)
def test_pieces_before_their_header(painter: Painter, raw: Raw) -> None:
    request, header = announced(painter)
    raw.send([b"", bytes(painter.picture.nbytes)])
    assert "announced" in raw.receive()["text"]
    raw.send(header, [b"", bytes(painter.picture.nbytes)])
    while (answer := raw.receive())["op"] != "done":
        assert answer["id"] == request.id
    served(painter)


@fault(
    "pieces of two requests mixed",
    "a header between another's header and its pixels",
    "the first refused, the second done",
)
def test_headers_and_pieces_out_of_order(painter: Painter, raw: Raw) -> None:
    first, header = announced(painter)
    second, other = announced(painter)
    raw.send(header, other, [b"", bytes(painter.picture.nbytes)])
    answers = {}
    while second.id not in answers:
        answer = raw.receive()
        if answer["op"] in ("done", "error"):
            answers[answer["id"]] = answer["op"]
    assert answers == {first.id: "error", second.id: "done"}
    served(painter)


@fault(
    "too many pixels",
    "one piece more than announced",
    "refused with an error; connection goes on",
)
def test_a_piece_too_many(painter: Painter, raw: Raw) -> None:
    request, header = announced(painter)
    raw.send(header, [b"", bytes(painter.picture.nbytes + 1)])
    answer = raw.receive()
    assert (answer["op"], answer["id"]) == ("error", request.id)
    raw.send([pack({"op": "status", "id": "s"})])
    assert raw.receive()["op"] == "status"
    served(painter)


@fault(
    "half-open socket",
    "a client that closed its sending side reads on",
    "its connection ends; others served",
)
def test_a_half_open_socket(painter: Painter, raw: Raw) -> None:
    raw.send(announced(painter, 5)[1], [b"", bytes(painter.picture.nbytes)])
    raw.end()
    served(painter)


@fault("silent connections", "twenty that never send anything", "others served")
def test_connections_that_say_nothing(painter: Painter, raw: Raw) -> None:
    address = raw.socket.getpeername()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(address, SOON))
        served(painter)


@fault(
    "upload that never ends", "a header for 2 GB, then silence", "no memory taken; others served"
)
def test_an_upload_that_never_ends(painter: Painter, raw: Raw) -> None:
    info = discovery.find()
    assert info is not None
    before = Holdings.of(info.pid)
    fields, _header = announced(painter)
    header = fields.header()
    header["picture"] |= {"width": 26000, "height": 26000}
    header |= {"region": [0, 0, 26000, 26000], "frames": [26000 * 26000 * 3]}
    raw.send([pack(header)], [b"", bytes(1 << 20)])
    served(painter)
    after = Holdings.of(info.pid)
    if before is not None and after is not None:
        assert after.memory < before.memory + (64 << 10)


@fault(
    "slow writer",
    "a request that arrives byte by byte",
    "done when it is whole; others served meanwhile",
)
def test_a_slow_writer(painter: Painter, raw: Raw) -> None:
    request, header = announced(painter)
    data = wire.message(header) + wire.message([b"", bytes(painter.picture.nbytes)])
    for index in range(0, len(data) - 100):
        raw.socket.sendall(data[index : index + 1])
    served(painter)
    raw.socket.sendall(data[len(data) - 100 :])
    while (answer := raw.receive())["op"] != "done":
        assert answer["id"] == request.id


@fault(
    "slow reader",
    "a client that leaves 27 MB and its progress unread",
    "others served meanwhile; it gets everything when it reads",
)
def test_a_slow_reader(painter: Painter) -> None:
    slow = Painter()
    slow.picture = type(slow.picture)(LARGE, LARGE, "U8", "RGB")
    slow.document = bytearray(bytes(range(256)) * (slow.picture.nbytes // 256 + 1))
    del slow.document[slow.picture.nbytes :]
    slow.before = bytes(slow.document)
    dream = slow.begin()
    line = slow.line
    assert line is not None
    while line._client.wants_to_write:
        line._client.flush()
    with contextlib.closing(launch.connect(slow.command)) as client:
        end = time.monotonic() + SOON
        while ask(client, "status")["done"] < 1:
            assert time.monotonic() < end
    served(painter)
    slow.follow(dream)
    dreamed(slow, dream)


@fault(
    "connection cut in a dream",
    "the client's connection ends, its program continues",
    "reconnected; the dream is done",
)
def test_a_connection_cut_in_a_dream(painter: Painter) -> None:
    dream = painter.begin(10)
    painter.follow(dream, lambda d: d.state is State.RUNNING)
    assert painter.line is not None
    cut = socket.socket(fileno=painter.line._client.fileno())
    cut.shutdown(socket.SHUT_RDWR)
    cut.detach()
    painter.follow(dream)
    dreamed(painter, dream)


@fault(
    "answer cut off",
    "the daemon closes the connection within its answer",
    "reported; next call works",
)
def test_an_answer_cut_off(painter: Painter, home: object) -> None:
    done = wire.frame(bytes(100))[:50]
    with server(wire.greeting(server=True) + wire.command(b"WELCOME") + done) as port:
        publish(port)
        with pytest.raises(LinkError):
            info = discovery.find()
            assert info is not None
            Client.connect(info, 5.0)
    painter.next_call_works()


@contextlib.contextmanager
def server(data: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def play() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = server.accept()
                    with connection:
                        connection.sendall(data)

        threading.Thread(target=play, daemon=True).start()
        yield server.getsockname()[1]
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def publish(port: int) -> None:
    discovery.publish(
        discovery.DaemonInfo(PROTOCOL, "0.1.0", f"tcp://127.0.0.1:{port}", "token", 1)
    )
