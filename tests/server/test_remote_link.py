"""The link to another computer's daemon alone: each request gets exactly one outcome."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import zmq

from dreamlayer.server.config.address import Address
from dreamlayer.server.remote.link import RemoteLink, RemoteUnreachable, answer
from dreamlayer.server.remote.studio import RemoteStudio
from dreamlayer.server.transport.keys import KeyPair
from dreamlink.wire.messages import PROTOCOL, Header, new_id, pack, unpack
from tests.server.daemons import SOON


def pair() -> KeyPair:
    from zmq.utils import z85

    public, secret = zmq.curve_keypair()
    return KeyPair(z85.decode(public), z85.decode(secret))


class Other:
    """The other computer: a ROUTER that answers as the test says."""

    def __init__(self) -> None:
        self.pair = pair()
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, self.pair.secret)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")

    def receive(self) -> tuple[bytes, list[bytes]]:
        assert self.socket.poll(SOON * 1000), "nothing came"
        peer, *message = self.socket.recv_multipart()
        return peer, message

    def send(self, peer: bytes, header: Header, *frames: bytes) -> None:
        self.socket.send_multipart([peer, pack(header), *frames])

    def greet(self, **more: object) -> bytes:
        peer, (packed,) = self.receive()
        hello = unpack(packed)
        assert hello["op"] == "hello"
        greeting = {"op": "hello", "id": hello["id"], "protocol": PROTOCOL, "version": "9.9"}
        self.send(peer, {**greeting, **more})
        return peer

    def link(self) -> RemoteLink:
        return RemoteLink(Address("127.0.0.1", self.port), self.pair.public, pair(), 1 << 20)


@pytest.fixture
def other() -> Iterator[Other]:
    computer = Other()
    yield computer
    computer.socket.close()


def ask(op: str) -> Header:
    return {"op": op, "id": new_id()}


def test_answers_go_to_the_conversation_that_asked(other: Other) -> None:
    link = other.link()
    first, second = link.ask(ask("models")), link.ask(ask("layers"))
    peer = other.greet()
    asked = [unpack(other.receive()[1][0]) for _ in range(2)]
    for header in reversed(asked):
        other.send(peer, {"op": header["op"] + "!", "id": header["id"]})
    other.send(peer, {"op": "nobody's", "id": "x"})
    assert answer(first, SOON)["op"] == "models!"
    assert answer(second, SOON)["op"] == "layers!"


def test_a_large_picture_goes_out_while_answers_come_in(other: Other) -> None:
    link = other.link()
    picture = bytes(range(256)) * (1 << 16)  # 16 MiB: more than libzmq takes at once
    conversation = link.ask(ask("dream"), [picture])
    peer = other.greet()
    header = unpack(other.receive()[1][0])
    assert header["frames"] == [len(picture)]
    other.send(peer, {"op": "queued", "id": header["id"], "ahead": 0})
    message = conversation.next(SOON)
    assert message is not None
    assert message[0]["op"] == "queued"
    came = b"".join(other.receive()[1][1] for _ in range(16))
    assert came == picture


def test_a_cancelled_upload_is_not_continued(other: Other) -> None:
    link = other.link()
    conversation = link.ask(ask("dream"), [bytes(64 << 20)])
    other.greet()
    other.receive()
    conversation.close("cancel")
    pieces = 0
    while True:
        _, message = other.receive()
        if len(message) == 1:
            break
        pieces += 1
    assert unpack(message[0])["op"] == "cancel"
    assert pieces < 64


def test_another_protocol_is_reported(other: Other) -> None:
    conversation = other.link().ask(ask("models"))
    other.greet(protocol=PROTOCOL + 1)
    with pytest.raises(RemoteUnreachable, match=r"version 9\.9.*install the same"):
        answer(conversation, SOON)


def test_an_unreadable_message_ends_the_connection_and_the_next_works(other: Other) -> None:
    link = other.link()
    lost = link.ask(ask("models"))
    peer = other.greet()
    other.receive()
    other.socket.send_multipart([peer, b"\xc1"])
    with pytest.raises(RemoteUnreachable, match="unreadable"):
        answer(lost, SOON)
    following = link.ask(ask("models"))
    peer = other.greet()
    header = unpack(other.receive()[1][0])
    other.send(peer, {"op": "models", "id": header["id"], "models": []})
    assert answer(following, SOON)["models"] == []


def test_a_daemon_that_knows_no_kinds_names_none(
    other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier one answers `layers` without them."""
    rows = [{"name": "features.0"}]
    monkeypatch.setattr(RemoteStudio, "_ask", lambda *_: {"op": "layers", "layers": rows})
    studio = RemoteStudio(Address("127.0.0.1", other.port), other.pair.public, pair(), 1 << 20)
    assert studio.layers("squeezenet1_1") == {"layers": rows, "kinds": []}


def test_all_who_wait_are_told_when_it_breaks(other: Other) -> None:
    link = other.link()
    waiting = [link.ask(ask("models")) for _ in range(5)]
    other.greet()
    other.socket.close()
    told = []

    def wait(number: int) -> None:
        try:
            answer(waiting[number], SOON)
        except RemoteUnreachable as gone:
            told.append(str(gone))

    threads = [threading.Thread(target=wait, args=[number]) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 5
    assert all("was lost" in text for text in told)


def test_no_answer_in_time_is_said(other: Other) -> None:
    conversation = other.link().ask(ask("models"))
    other.greet()
    with pytest.raises(RemoteUnreachable, match="does not answer"):
        answer(conversation, 0.1)
