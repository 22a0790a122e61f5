"""The client's connection: its end, other programs on the port, and a dream's state."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from dreamlink.client.client import Client, LinkError, StaleDaemon
from dreamlink.client.discovery import DaemonInfo
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, duration, progress_text
from dreamlink.wire import proof
from dreamlink.wire.messages import PROTOCOL, DreamRequest, Frame, new_id, pack

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"PLAIN".ljust(20, b"\0") + bytes(32)
WELCOME = b"\x04\x08\x07WELCOME"
READY = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER"


@contextlib.contextmanager
def server(play: Callable[[socket.socket], None]) -> Iterator[DaemonInfo]:
    """Something on a port that treats its one connection as `play` says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):  # the test is over before it is
                connection, _address = listener.accept()
                with connection:
                    play(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield info_of(listener.getsockname()[1])


def info_of(port: int) -> DaemonInfo:
    """What a daemon on this port would have published; this process lives, as it does."""
    return DaemonInfo(PROTOCOL, "0.1.0", f"tcp://127.0.0.1:{port}", "t", os.getpid())


def message(header: Mapping[str, Any]) -> bytes:
    packed = pack(header)
    return struct.pack(">BQ", 2, len(packed)) + packed


def swallow(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def answer_hello(connection: socket.socket, *more: bytes, **changes: Any) -> None:
    """Answer as the daemon does that knows the token; `changes` are other fields of the hello."""
    connection.sendall(GREETING + WELCOME + READY)
    shown = proof.daemon_proof(
        "t", info_of(connection.getsockname()[1]).endpoint, nonce(connection)
    )
    hello = {"op": "hello", "id": "", "protocol": PROTOCOL, "version": "0.1.0", "pid": 1}
    connection.sendall(message({**hello, "proof": shown, **changes}) + b"".join(more))


def nonce(connection: socket.socket) -> str:
    """The nonce of a client's hello."""
    said = b""
    while (match := re.search(rb"\xa5nonce\xd9 ([0-9a-f]{32})", said)) is None:
        said += connection.recv(1000)
    return match[1].decode()


def test_a_port_without_a_listener_is_a_stale_daemon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StaleDaemon, match="not running"):
        Client.connect(info_of(port), 5.0)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:", "tcp://127.0.0.1:0x", "nonsense", ""])
def test_an_invalid_endpoint_is_a_stale_daemon(endpoint: str) -> None:
    with pytest.raises(StaleDaemon):
        Client.connect(DaemonInfo(PROTOCOL, "0.1.0", endpoint, "t", 1), 5.0)


@pytest.mark.parametrize(
    "play",
    [
        lambda connection: None,
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
        lambda connection: connection.sendall(GREETING),
        swallow,
    ],
    ids=["hangs up", "web server", "ssh", "ends while greeting", "silent"],
)
def test_another_program_on_the_port_is_a_stale_daemon(
    play: Callable[[socket.socket], None],
) -> None:
    with server(play) as info, pytest.raises(StaleDaemon):
        Client.connect(info, 0.5)


def test_a_hanging_daemon_is_reported_and_not_replaced() -> None:
    def play(connection: socket.socket) -> None:
        connection.sendall(GREETING)  # libzmq greets by itself, the daemon's loop does not answer
        swallow(connection)

    with server(play) as info, pytest.raises(LinkError, match=str(os.getpid())) as failure:
        Client.connect(info, 0.5)
    assert not isinstance(failure.value, StaleDaemon)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a process is not looked for")
@pytest.mark.parametrize("refusal", [b"", b"\x04\x0a\x05ERROR\x03500"], ids=["silent", "full"])
def test_a_program_in_place_of_a_daemon_that_has_ended_is_no_daemon(refusal: bytes) -> None:
    """It can neither make the client wait for the user, nor send it away."""

    def play(connection: socket.socket) -> None:
        connection.sendall(GREETING + refusal)
        swallow(connection)

    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with server(play) as info:
        with pytest.raises(LinkError) as failure:
            Client.connect(info, 0.5)
        assert not isinstance(failure.value, StaleDaemon)
    with server(play) as info, pytest.raises(StaleDaemon):
        Client.connect(replace(info, pid=ended.pid), 0.5)


def test_last_messages_are_read_before_the_end_is_reported() -> None:
    words = [message({"op": "progress", "id": "1"}), message({"op": "done", "id": "1"})]
    with server(lambda connection: answer_hello(connection, *words)) as info:
        client = Client.connect(info, 5.0)
        time.sleep(0.2)  # all of it and the end have come
        assert [header["op"] for header, _ in client.read()] == ["progress", "done"]
        with pytest.raises(LinkError, match="lost"):
            client.read()
        with pytest.raises(LinkError):
            client.receive(1.0)


def test_a_loss_noticed_while_sending_is_reported_after_the_last_messages() -> None:
    hung_up = threading.Event()

    def play(connection: socket.socket) -> None:
        answer_hello(connection, message({"op": "error", "id": "1"}))
        connection.shutdown(socket.SHUT_RDWR)
        hung_up.wait(5.0)

    with server(play) as info:
        client = Client.connect(info, 5.0)
        for _ in range(3):  # the first is still taken by the system
            client.send({"op": "dream", "id": "1"}, bytes(100_000))
            time.sleep(0.1)
        assert not client.wants_to_write  # or an event loop would spin
        assert [header["op"] for header, _ in client.read()] == ["error"]
        with pytest.raises(LinkError, match="lost"):
            client.receive(1.0)
        hung_up.set()


def test_an_unreadable_answer_ends_the_connection() -> None:
    with server(lambda connection: answer_hello(connection, b"\x00\x01\xc1")) as info:
        client = Client.connect(info, 5.0)
        with pytest.raises(LinkError, match="unreadable"):
            client.receive(5.0)
        assert client.closed


@pytest.mark.parametrize("manner", ["waiting", "event loop"])
def test_unreadable_data_after_a_message_is_reported_though_nothing_follows(manner: str) -> None:
    def play(connection: socket.socket) -> None:
        answer_hello(connection, message({"op": "progress", "id": "1"}) + b"\x00\x01\xc1")
        swallow(connection)

    with server(play) as info:
        client = Client.connect(info, 5.0)
        time.sleep(0.2)  # both have come
        assert [header["op"] for header, _ in client.read()] == ["progress"]
        began = time.monotonic()
        if manner == "event loop":
            assert select.select([client], [], [], 10.0)[0] == [client]
        with pytest.raises(LinkError, match="unreadable"):
            client.receive(10.0)
        assert time.monotonic() - began < 5.0


def test_a_timeout_is_not_an_error() -> None:
    def play(connection: socket.socket) -> None:
        answer_hello(connection)
        swallow(connection)

    with server(play) as info, contextlib.closing(Client.connect(info, 5.0)) as client:
        began = time.monotonic()
        assert client.receive(0.2) is None
        assert client.read() == []
        assert 0.15 < time.monotonic() - began < 2.0


# Dream.


class Sent:
    """What a client would have sent."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, Any], tuple[Frame, ...]]] = []

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        self.messages.append((dict(header), frames))


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def dream(sent: Sent) -> Dream:
    picture = Picture(4, 3, "U8", "RGB")
    request = DreamRequest(Recipe.of({}), picture, picture.region)
    return Dream(sent, request, bytes(36))


def test_a_dream_runs_from_waiting_to_done(dream: Dream, sent: Sent) -> None:
    assert sent.messages == [(dream.request.header(), (bytes(36),))]
    name = dream.request.id
    assert (dream.state, dream.fraction) == (State.WAITING, 0.0)
    assert dream.receive({"op": "queued", "id": name, "ahead": 2}, [])
    assert "2" in dream.text
    progress = {"op": "progress", "id": name, "fraction": 0.5, "octave": 2, "octaves": 4,
                "step": 3, "steps": 10, "remaining": 12.3}  # fmt: skip
    assert dream.receive(progress, [])
    assert (dream.state, dream.fraction) == (State.RUNNING, 0.5)
    assert dream.text == "Octave 2 of 4, step 3 of 10, about 12 s left"
    done = {"op": "done", "id": name, "seconds": 1.5, "seed": 3, "recipe": {"seed": 3}}
    assert dream.receive(done, [bytearray(b"x" * 36)])
    assert (dream.over, dream.state, dream.pixels) == (True, State.DONE, bytearray(b"x" * 36))
    assert dream.report["seed"] == 3
    assert not dream.receive({"op": "cancelled", "id": name}, [])
    assert dream.state is State.DONE


def test_a_dream_takes_only_its_own_messages(dream: Dream) -> None:
    assert not dream.receive({"op": "cancelled", "id": new_id()}, [])
    assert not dream.receive({"op": "cancelled"}, [])
    assert dream.state is State.WAITING


@pytest.mark.parametrize("frames", [[], [bytearray(35)], [bytearray(36), bytearray(1)]])
def test_pixels_that_do_not_fit_fail_the_dream(dream: Dream, frames: list[bytearray]) -> None:
    done = {"op": "done", "id": dream.request.id, "seconds": 1.5, "recipe": {}}
    dream.receive(done, frames)
    assert dream.state is State.FAILED
    assert dream.pixels is None
    assert "nothing was changed" in dream.text


def test_cancelling_is_shown_until_the_dream_is_cancelled(dream: Dream, sent: Sent) -> None:
    dream.cancel()
    assert sent.messages[-1][0] == {"op": "cancel", "id": dream.request.id}
    dream.receive({"op": "progress", "id": dream.request.id, "fraction": 0.9}, [])
    assert (dream.text, dream.over) == ("Cancelling…", False)
    dream.receive({"op": "cancelled", "id": dream.request.id}, [])
    assert dream.state is State.CANCELLED
    count = len(sent.messages)
    dream.cancel()
    assert len(sent.messages) == count


def test_an_error_is_shown_in_the_daemons_words(dream: Dream) -> None:
    dream.receive({"op": "error", "id": dream.request.id, "text": "There is no layer 99."}, [])
    assert (dream.state, dream.text) == (State.FAILED, "There is no layer 99.")


def test_a_preview_that_fits_its_layout_is_accepted(dream: Dream) -> None:
    header = {"op": "progress", "id": dream.request.id, "fraction": 0.1}
    layout = Picture(2, 1, "U8", "RGB")
    dream.receive({**header, "preview": layout.to_dict()}, [bytearray(6)])
    assert dream.preview == (layout, bytearray(6))


def test_live_pixels_that_fit_are_accepted_and_others_fail_the_dream(dream: Dream) -> None:
    header = {"op": "progress", "id": dream.request.id, "fraction": 0.1, "live": True}
    dream.receive(header, [bytearray(b"x" * 36)])
    assert (dream.state, dream.live) == (State.RUNNING, bytearray(b"x" * 36))
    dream.receive(header, [bytearray(35)])
    assert dream.state is State.FAILED
    assert "nothing was changed" in dream.text
    assert dream.live == bytearray(b"x" * 36)


PREVIEW = {"width": 2, "height": 1, "depth": "U8", "order": "RGB"}
PROGRESS = {"op": "progress", "fraction": 0.1}
DONE = {"op": "done", "seconds": 1.0, "recipe": {}}


@pytest.mark.parametrize(
    ("header", "frames", "named"),
    [
        ({"op": "dreamt"}, [], "dreamt"),
        ({"op": "queued"}, [], "ahead"),
        ({"op": "queued", "ahead": -1}, [], "ahead"),
        ({"op": "progress"}, [], "fraction"),
        ({"op": "progress", "fraction": float("nan")}, [], "fraction"),
        ({"op": "progress", "fraction": 1.01}, [], "fraction is above 1"),
        ({**PROGRESS, "text": 7}, [], "text"),
        ({**PROGRESS, "octave": 1, "octaves": 2, "step": 0, "steps": 3}, [], "step"),
        ({**PROGRESS, "remaining": float("inf")}, [], "remaining"),
        ({**PROGRESS, "remaining": "soon"}, [], "remaining"),
        (PROGRESS, [bytearray(6)], "picture"),
        ({**PROGRESS, "preview": {"width": 0}}, [bytearray(6)], "height"),
        ({**PROGRESS, "preview": PREVIEW}, [bytearray(5)], "preview"),
        ({**PROGRESS, "preview": PREVIEW}, [], "preview"),
        ({**PROGRESS, "live": True}, [], "pixels"),
        ({**PROGRESS, "live": True}, [bytearray(36)] * 2, "pixels"),
        ({"op": "done", "recipe": {}}, [bytearray(36)], "seconds"),
        ({"op": "done", "seconds": 1.0}, [bytearray(36)], "recipe"),
        ({**DONE, "recipe": {"octaves": 99}}, [bytearray(36)], "octaves"),
        ({**DONE, "device": 1}, [bytearray(36)], "device"),
        ({**DONE, "seed": 0.5}, [bytearray(36)], "seed"),
        ({**DONE, "gain": "much"}, [bytearray(36)], "gain"),
        ({"op": "error"}, [], "text"),
        ({"op": "error", "text": " "}, [], "text"),
    ],
)
def test_an_invalid_answer_fails_the_dream_and_nothing_else(
    dream: Dream, header: dict[str, Any], frames: list[bytearray], named: str
) -> None:
    assert dream.receive({**header, "id": dream.request.id}, frames)
    assert dream.state is State.FAILED
    assert "is invalid" in dream.text
    assert named in dream.text
    assert "nothing was changed" in dream.text
    assert dream.pixels is None


def test_progress_text_leaves_out_what_is_unknown() -> None:
    assert progress_text({"fraction": 0.0, "text": "Loading…"}) == "Loading…"
    header = {"octave": 1, "octaves": 4, "step": 2, "steps": 10}
    assert progress_text(header) == "Octave 1 of 4, step 2 of 10"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1 s"), (8.4, "8 s"), (89.0, "89 s"), (100.0, "2 min"), (7500.0, "2 h 5 min")],
)
def test_durations_are_rounded(seconds: float, words: str) -> None:
    assert duration(seconds) == words
