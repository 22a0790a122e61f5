"""Security: one test for each attack in the table in docs/design/security.md."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from dreamlayer.networks.registry import registry, user_store
from dreamlink.client import private_files
from dreamlink.client.client import Client, LinkError, StaleDaemon
from dreamlink.client.discovery import DaemonInfo
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import State
from dreamlink.wire.messages import DreamRequest, Header, new_id, pack
from tests.fuzz import wire
from tests.server.daemons import SOON, Daemon, ask, finish, receive, start_dream, wait_until

NOBODY = 65534  # a user's number that is not ours
ROOT_ONLY = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


def refused(client: Client) -> dict[str, int]:
    """How many connections were refused, by kind."""
    counts: dict[str, int] = ask(client, "status")["refused"]
    return counts


def await_refusal(client: Client, kind: str, before: int = 0) -> None:
    wait_until(lambda: refused(client).get(kind, 0) > before)


def call(daemon: Daemon) -> socket.socket:
    """A plain TCP connection to the daemon's port."""
    port = int(daemon.info.endpoint.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), SOON)


def hang_up(connection: socket.socket) -> bytes:
    """What the daemon says until it hangs up; fails if it does not."""
    said = b""
    connection.settimeout(SOON)
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(4096):
            said += piece
    return said


# Other users of this computer.


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that others can reach, were it not for the daemon's care."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as above:
        Path(above).chmod(0o755)
        monkeypatch.setenv("DREAMLAYER_HOME", f"{above}/home")
        yield Path(above) / "home"


def as_nobody(deed: Callable[[], str]) -> str:
    """What another user of this computer gets."""
    "localhost".encode("idna")  # imports what the other user could not
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            outcome = deed()
        except BaseException as error:
            outcome = type(error).__name__
        os.write(writer, outcome.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as told:
        outcome = told.read().decode()
    os.waitpid(child, 0)
    return outcome


@ROOT_ONLY
def test_another_user_can_read_neither_the_token_nor_keys_nor_results(open_home: Path) -> None:
    daemon = Daemon(open_home)
    try:
        assert as_nobody(lambda: str(os.geteuid())) == str(NOBODY)
        assert as_nobody(lambda: str(next(open_home.iterdir()))) == "PermissionError"
        path = open_home / "daemon.json"
        assert as_nobody(path.read_text) == "PermissionError"
        open_home.chmod(0o755)  # even then
        assert as_nobody(path.read_text) == "PermissionError"
    finally:
        daemon.kill()


@ROOT_ONLY
def test_another_user_on_the_port_is_refused_and_counted(own_daemon: Daemon) -> None:
    info = replace(own_daemon.info, token="guessed")

    def connect() -> str:
        try:
            Client.connect(info, SOON)
        except LinkError as error:
            return str(error)
        return "came in"

    assert "token" in as_nobody(connect)
    with contextlib.closing(own_daemon.connect()) as client:
        assert refused(client) == {"wrong token": 1}


@ROOT_ONLY
def test_a_folder_of_another_user_is_refused(
    open_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dreamlayer.cli.main import main

    open_home.mkdir()
    os.chown(open_home, NOBODY, NOBODY)
    assert main(["serve"]) == 1
    said = capsys.readouterr().err
    assert "belongs to another user" in said
    assert "DREAMLAYER_HOME" in said
    assert not (open_home / "daemon.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
def test_a_folder_that_others_could_read_is_closed(home: Path) -> None:
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    daemon = Daemon(home)
    try:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
    finally:
        daemon.kill()


def test_a_secret_file_is_never_readable_by_others_not_even_while_it_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private_files.make_private(home)
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *words: opened.append(words) or real(*words))
    private_files.write(home / "secret", "hush")
    ((_, flags, mode),) = opened
    assert mode == 0o600
    assert flags & os.O_EXCL
    assert [p.name for p in home.iterdir()] == ["secret"]


# Tokens.


@pytest.mark.parametrize("token", ["", "x", "x" * 255, "wrong"])
def test_a_wrong_token_is_refused_before_anything_is_read(daemon: Daemon, token: str) -> None:
    with contextlib.closing(daemon.connect()) as client:
        before = refused(client).get("wrong token", 0)
        with pytest.raises(StaleDaemon, match="does not accept this program's token"):
            Client.connect(replace(daemon.info, token=token), SOON)
        assert refused(client)["wrong token"] == before + 1


def test_an_old_token_is_refused_with_a_remedy(home: Path) -> None:
    first = Daemon(home)
    old = first.info
    first.kill()
    second = Daemon(home)
    try:
        assert second.info.token != old.token
        with pytest.raises(StaleDaemon, match=r"has been restarted since\. Try again"):
            Client.connect(replace(second.info, token=old.token), SOON)
        with contextlib.closing(second.connect()) as client:  # what trying again does
            assert refused(client) == {"wrong token": 1}
    finally:
        second.kill()


def test_an_open_connection_need_not_present_the_token_again(daemon: Daemon) -> None:
    with contextlib.closing(daemon.connect()) as client:
        with pytest.raises(LinkError):
            Client.connect(replace(daemon.info, token="x"), SOON)
        assert ask(client, "status")["op"] == "status"


# What does not speak as a client does.


def test_a_web_page_gets_no_answer_and_is_counted(daemon: Daemon, client: Client) -> None:
    before = refused(client).get("not ZeroMQ", 0)
    port = int(daemon.info.endpoint.rpartition(":")[2])
    for method, body in (("GET", b""), ("POST", b'{"op": "stop"}' * 1000), ("OPTIONS", b"")):
        page = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
        with contextlib.closing(page), pytest.raises((http.client.HTTPException, OSError)):
            page.request(method, "/", body, {"Origin": "http://example.org"})
            page.getresponse()
    wait_until(lambda: refused(client).get("not ZeroMQ", 0) == before + 3)
    assert ask(client, "status")["op"] == "status"


def test_garbage_is_disconnected_and_counted(daemon: Daemon, client: Client) -> None:
    noise = random.Random(7)
    before = sum(refused(client).values())
    for length in (12, 64, 1000, 100_000):
        with call(daemon) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(bytes([noise.randrange(1, 255)]) + noise.randbytes(length))
            hang_up(connection)
    wait_until(lambda: sum(refused(client).values()) == before + 4)


@pytest.mark.parametrize("mechanism", [b"NULL", b"CURVE", b"GSSAPI", b"", b"plain"])
def test_mechanisms_other_than_plain_are_refused(
    daemon: Daemon, client: Client, mechanism: bytes
) -> None:
    before = refused(client).get("without token or key", 0)
    with call(daemon) as connection:
        connection.sendall(wire.greeting(mechanism))
        assert b"WELCOME" not in hang_up(connection)
    await_refusal(client, "without token or key", before)


def test_zeromq_messages_without_a_token_are_not_read(daemon: Daemon, client: Client) -> None:
    before = sum(refused(client).values())
    stranger = zmq.Context.instance().socket(zmq.DEALER)
    with contextlib.closing(stranger):
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.connect(daemon.info.endpoint)
        with contextlib.suppress(zmq.Again):  # sent away already: then there is nobody to send to
            stranger.send(pack({"op": "stop", "id": "1"}), zmq.DONTWAIT)
        wait_until(lambda: sum(refused(client).values()) > before)
        assert not stranger.poll(200)


def test_a_message_before_the_token_is_refused(daemon: Daemon, client: Client) -> None:
    before = refused(client).get("broken handshake", 0)
    with call(daemon) as connection:
        connection.sendall(wire.greeting() + wire.message([pack({"op": "stop", "id": "1"})]))
        hang_up(connection)
    await_refusal(client, "broken handshake", before)


def test_data_sent_before_the_token_is_not_buffered(own_daemon: Daemon) -> None:
    process = psutil.Process(own_daemon.process.pid)
    piece = bytes(1 << 20)
    with contextlib.closing(own_daemon.connect()) as client:
        before = process.memory_info().rss
        for _ in range(4):
            with call(own_daemon) as connection, contextlib.suppress(ConnectionError):
                command = struct.pack(">BQ", wire.COMMAND | wire.LONG, 1 << 33) + b"\x05HELLO"
                connection.sendall(wire.greeting() + command)
                for _ in range(64):
                    connection.sendall(piece)
        assert process.memory_info().rss < before + (32 << 20)
        wait_until(lambda: sum(refused(client).values()) == 4)


def test_half_open_connections_are_closed_and_block_nobody(own_daemon: Daemon) -> None:
    process = psutil.Process(own_daemon.process.pid)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(contextlib.closing(own_daemon.connect()))
        before = process.num_fds()
        began = time.monotonic()
        for number in range(300):
            connection = stack.enter_context(call(own_daemon))
            connection.sendall(wire.greeting()[: number % 64])
        dream = start_dream(client, 1)
        finish(client, dream)
        assert dream.state is State.DONE
        own_daemon.connect().close()
        assert time.monotonic() - began < SOON
        wait_until(lambda: refused(client).get("unfinished handshake", 0) == 300)
        wait_until(lambda: process.num_fds() <= before + 2)


def test_clients_that_leave_with_unread_messages_are_not_counted_as_others(
    own_daemon: Daemon,
) -> None:
    """The system gives a connection's descriptor to the next one, at once."""
    with contextlib.closing(own_daemon.connect()) as user:
        for _ in range(100):
            client = own_daemon.connect()
            for _ in range(5):
                client.send({"op": "status", "id": new_id()})
            client._socket.shutdown(socket.SHUT_RDWR)
            client.close()
        wait_until(lambda: ask(user, "status")["connections"] == 1)
        assert refused(user) == {}


def test_connections_beyond_the_limit_are_refused_naming_the_setting(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_CONNECTIONS_MAX", "3")
    daemon = Daemon(home)
    try:
        clients = [daemon.connect() for _ in range(3)]
        assert ask(clients[0], "status")["connections"] == 3
        with pytest.raises(LinkError, match="connections_max") as failure:
            daemon.connect()
        assert not isinstance(failure.value, StaleDaemon)  # no second daemon is to be started
        assert refused(clients[0]) == {"too many connections": 1}
        clients.pop().close()
        wait_until(lambda: ask(clients[0], "status")["connections"] == 2)
        clients.append(daemon.connect())
        for _ in range(20):  # who comes and goes leaves no place taken
            clients.pop().close()
            wait_until(lambda: ask(clients[0], "status")["connections"] == 2)
            clients.append(daemon.connect())
        for client in clients:
            client.close()
    finally:
        daemon.kill()


# What clients say.


def dream_header(**changes: Any) -> Header:
    picture = Picture(8, 8, "U8", "RGB")
    request = DreamRequest(Recipe.of({"channels": "1"}), picture, picture.region)
    return {**request.header(), "frames": [picture.nbytes], **changes}


def answer_to(client: Client, header: Header) -> Header:
    """What the daemon answers to a header alone: its pixels are never sent."""
    client._dealer.send([pack(header)])
    client.flush()
    while True:
        answer, _ = receive(client)
        if answer["id"] == header["id"]:
            return answer


DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]
HUGE = (2**63, 2**63 - 1, 2**64 - 1, -(2**63), -1, 0, 2**31, 1 << 17 | 1)
NO_NUMBERS = (float("nan"), float("inf"), -0.5, True, "8", None, [8], {"a": 1}, b"8", DEEP)


@pytest.mark.parametrize("side", ["width", "height"])
@pytest.mark.parametrize("value", [*HUGE, *NO_NUMBERS], ids=lambda v: f"{v!r:.20}")
def test_an_impossible_size_is_refused_before_the_pixels(
    client: Client, side: str, value: Any
) -> None:
    picture = {**Picture(8, 8, "U8", "RGB").to_dict(), side: value}
    answer = answer_to(client, dream_header(picture=picture))
    assert answer["op"] == "error"
    assert len(answer["text"]) < 300


@pytest.mark.parametrize(
    "changes",
    [
        *({"region": [0, 0, value, 8]} for value in [*HUGE, *NO_NUMBERS]),
        *({"region": [value, 0, 8, 8]} for value in HUGE if value),
        *({"frames": [value]} for value in [*HUGE, *NO_NUMBERS]),
        {"frames": 192}, {"frames": [192] * 9}, {"frames": [100, 92]}, {"frames": {"0": 192}},
        {"preview": 2**63}, {"preview": -1}, {"preview": True},
        {"guide": {"width": 2**63, "height": 1}}, {"edges": [1, 1, 1, 1]}, {"mask": 1},
        {"recipe": {"tile": 2**63}}, {"recipe": {"steps": float("nan")}}, {"recipe": DEEP},
        {"recipe": {"x" * 500_000: 1}}, {"recipe": {"layer": "x" * 500_000}},
        {"recipe": {"layer": "(" * 1000}}, {"recipe": {"octave_scale": float("inf")}},
        {"device": "x" * 500_000}, {"device": 5}, {"mask": DEEP},
    ],
    ids=lambda changes: f"{changes!r:.50}",
)  # fmt: skip
def test_an_invalid_request_is_refused_before_the_pixels(
    client: Client, changes: dict[str, Any]
) -> None:
    answer = answer_to(client, dream_header(**changes))
    assert answer["op"] == "error"
    assert answer["text"]
    assert len(answer["text"]) < 1000
    dream = start_dream(client, 1)  # and the connection goes on
    finish(client, dream)
    assert dream.state is State.DONE


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"\x81\xa2op" + b"\x91" * 200_000, id="deep"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="list of 4 G"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="map of 4 G"),
        pytest.param(b"\xc6\xff\xff\xff\xffx", id="bytes of 4 G"),
        pytest.param(b"\x82\xa2op\xa4none\xa2op\xa4none", id="op twice"),
        pytest.param(b"\x81\xa2op\xc7\x08\x01" + bytes(8), id="extension"),
        pytest.param(b"\x81\xa2op\xd6\xff" + bytes(4), id="time"),
        pytest.param(b"\x81\xa2op\xa4\xff\xfe\xff\xff", id="no text"),
    ],
)
def test_a_malicious_header_does_no_harm(client: Client, packed: bytes) -> None:
    client._dealer.send([packed])
    client.flush()
    answer, _ = receive(client)
    assert answer["op"] == "error"
    assert ask(client, "status")["op"] == "status"


NAMES = (
    "../x", "..\\x", "C:\\x", "C:x", "/etc/passwd", "con", "CON", "nul", "com1", "lpt9", "a/b", ".",
    "..", "", "x\0y", "x\n", "～", "x" * 65, "x" * 100_000, "%2e%2e/x", "file:///x", "-rf",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: f"{name!r:.20}")
def test_a_model_name_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for path in (tmp_path / "x", models / "x", models / "con"):
        path.with_suffix(".safetensors").write_bytes(b"weights")
        path.with_suffix(".json").write_text('{"arch": "squeezenet1_1"}')
    kept = user_store.UserStore(models)
    assert kept.weights_file(name) is None
    assert kept.find(name) is None
    assert not kept.remove(name)
    with pytest.raises(registry.UnknownModel) as failure:
        registry.find(name)
    assert len(str(failure.value)) < 3000


def test_a_path_as_model_name_is_refused_listing_the_networks(home: Path, tmp_path: Path) -> None:
    daemon = Daemon(home, "serve", program=[sys.executable, "-m", "dreamlayer"])
    try:
        with contextlib.closing(daemon.connect()) as client:
            client.send({"op": "layers", "id": (asked := new_id()), "model": "../../x"})
            while True:
                message = client.receive(120.0)  # torch is loaded first
                assert message is not None
                if message[0]["id"] == asked:
                    break
            assert "There is no network '../../x'" in message[0]["text"]
            assert "squeezenet1_1" in message[0]["text"]
    finally:
        daemon.kill()


def test_a_daemon_on_another_computer_is_not_trusted(home: Path) -> None:
    from dreamlink.client import discovery

    for endpoint in ("tcp://192.0.2.1:5", "tcp://127.0.0.1.example.org:5", "ipc:///x", "x"):
        discovery.publish(DaemonInfo(1, "0", endpoint, "t", 1))
        assert discovery.find() is None


@pytest.mark.parametrize("at_once", [False, True])
def test_connection_counts_are_right_in_any_order(own_daemon: Daemon, at_once: bool) -> None:
    noise = random.Random(3)
    kinds = {
        "not ZeroMQ": b"GET / HTTP/1.1\r\n\r\n",
        "without token or key": wire.greeting(b"NULL"),
        "wrong token": wire.greeting() + wire.hello(b"dreamlayer", b"x"),
        "unfinished handshake": wire.greeting()[:20],
    }
    expected = dict.fromkeys(kinds, 0)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(contextlib.closing(own_daemon.connect()))
        for _ in range(60):
            kind = noise.choice([*kinds, "client"])
            if kind == "client":
                own_daemon.connect().close()
                continue
            connection = stack.enter_context(call(own_daemon))
            connection.sendall(kinds[kind])
            expected[kind] += 1
            if not at_once:
                if kind == "wrong token":
                    while b"RROR" not in connection.recv(4096):  # as libzmq spells it
                        pass
                connection.close()
                wait_until(lambda: refused(client) == {k: n for k, n in expected.items() if n})
        if at_once:  # of what ends in the same moment one may be taken for another
            wait_until(lambda: sum(refused(client).values()) == sum(expected.values()))
            assert refused(client)["wrong token"] == expected["wrong token"]
        wait_until(lambda: ask(client, "status")["connections"] == 1)


@ROOT_ONLY
def test_files_planted_by_another_user_are_not_trusted(home: Path) -> None:
    from dreamlink.client import discovery

    discovery.publish(DaemonInfo(1, "0", "tcp://127.0.0.1:5", "t", 1))
    (home / "launcher.json").write_text('{"command": ["evil"]}')
    assert discovery.find() is not None
    assert discovery.launch_command() == ["evil"]
    for name in ("daemon.json", "launcher.json"):
        os.chown(home / name, NOBODY, NOBODY)
    assert discovery.find() is None
    assert discovery.launch_command() is None
