"""Client and daemon prove to each other that they know the token, and nobody sends it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dreamlayer.server.transport import token_proof
from dreamlayer.server.transport.token_proof import TokenProof
from dreamlink.client import discovery, launch
from dreamlink.client.client import USER, Client, LinkError, StaleDaemon
from dreamlink.session.dream import State
from dreamlink.wire import proof
from dreamlink.wire.messages import PROTOCOL, Header, new_id, pack, unpack
from dreamlink.wire.zmtp import Dealer, Refused
from tests.fuzz import wire
from tests.fuzz.daemon_side import connect
from tests.fuzz.handshakes import READY, WELCOME
from tests.fuzz.harnesses import feed
from tests.server.daemons import FAKE, SOON, Daemon, ask, finish, start_dream

NOBODY = 65534  # a user's number that is not ours
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
USERS = [
    pytest.param((), id="this user"),
    pytest.param(
        (str(NOBODY),),
        id="another user",
        marks=pytest.mark.skipif(not IS_ROOT, reason="only root can become another user"),
    ),
]


class Impostor:
    """Another program on the port of a daemon that was killed."""

    def __init__(self, info: discovery.DaemonInfo, *arguments: str) -> None:
        port = info.endpoint.rpartition(":")[2]
        program = [sys.executable, "-m", "tests.server.impostor", port, *arguments]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self._process.stdout
        assert self._process.stdout.readline() == "listens\n"

    def end(self) -> dict[str, list[bytes]]:
        """All that it was shown in handshakes, and sent."""
        self._process.kill()
        output, _ = self._process.communicate(timeout=SOON)
        heard: dict[str, list[bytes]] = {"shown": [], "sent": []}
        for line in output.splitlines():
            kind, *words = line.split()
            heard[kind].append(bytes.fromhex("".join(words)))
        return heard


@pytest.fixture
def killed(home: Path) -> Iterator[discovery.DaemonInfo]:
    """What daemon.json says about a daemon that was killed; what is started later is ended."""
    daemon = Daemon(home)
    info = daemon.info
    daemon.kill()
    yield info
    now = discovery.find()
    if now is not None and now != info:
        with contextlib.suppress(LinkError), contextlib.closing(Client.connect(now)) as client:
            ask(client, "stop")
            client.receive(SOON)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "answer", ["plain", "reflected", pytest.param("silent", marks=pytest.mark.slow)]
)
def test_an_impostor_gets_neither_token_nor_pixels(
    killed: discovery.DaemonInfo, answer: str, user: tuple[str, ...]
) -> None:
    impostor = Impostor(killed, answer, *user)
    try:
        with contextlib.closing(launch.connect(FAKE)) as client:
            dream = start_dream(client, 1)
            finish(client, dream)
            assert dream.state is State.DONE
    finally:
        heard = impostor.end()
    assert heard["shown"]  # it was asked
    assert not any(killed.token.encode() in words for words in heard["shown"] + heard["sent"])
    headers = [unpack(words) for words in heard["sent"]]
    assert {header["op"] for header in headers} == {"hello"}
    assert {*headers[0]} == {"op", "id", "protocol", "version", "nonce"}


@pytest.mark.parametrize("answer", ["plain", "reflected", "empty", "number", "password", "newer"])
def test_a_wrong_proof_is_no_daemon_and_is_logged(
    killed: discovery.DaemonInfo, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    impostor = Impostor(killed, answer)
    try:
        with pytest.raises(StaleDaemon, match="can't prove"):
            Client.connect(killed, SOON)
        assert launch.connect_to_running() is None
    finally:
        impostor.end()
    assert "nothing was sent to it" in caplog.text


def test_a_long_answer_is_refused_before_the_proof() -> None:
    """8 GiB are a picture's; who has not proved anything can't make a host hold them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        info = discovery.DaemonInfo(PROTOCOL, "0", endpoint, "t", os.getpid())
        with contextlib.closing(Client(info)) as client, server.accept()[0] as far:
            far.sendall(wire.greeting(server=True) + WELCOME + READY)
            far.sendall(b"\x02" + (8 << 30).to_bytes(8, "big"))
            with pytest.raises(LinkError, match="more than is allowed"):
                client.receive(SOON)


@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_REUSEPORT"])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_nobody_else_gets_the_port_while_the_daemon_listens(
    daemon: Daemon, option: str, address: str
) -> None:
    if not hasattr(socket, option):
        pytest.skip("the system has no such option")
    port = int(daemon.info.endpoint.rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        with pytest.raises(OSError, match=r"in use|denied|forbidden"):
            other.bind((address, port))
            other.listen()


def test_nothing_can_be_sent_before_the_daemon_has_proved_itself(daemon: Daemon) -> None:
    with contextlib.closing(Client(daemon.info)) as client:
        with pytest.raises(LinkError, match="greeted"):
            client.send({"op": "status", "id": "1"})
        assert not client._dealer._held


# What the daemon admits.


class Raw:
    """A connection that shows any password."""

    def __init__(self, daemon: Daemon, password: str, user: str = USER) -> None:
        self.socket = connect(daemon)
        self._dealer = Dealer(user, password, 1 << 20)

    def ask(self, op: str, **fields: Any) -> Header:
        self._dealer.send([pack({"op": op, "id": new_id(), **fields})])
        while not self._dealer.messages:
            for piece in self._dealer.outbox:
                self.socket.sendall(piece)
            self._dealer.outbox.clear()
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            feed(self._dealer, data)
        return unpack(self._dealer.messages.popleft()[0])


def refused(daemon: Daemon, password: str, user: str = USER) -> bool:
    raw = Raw(daemon, password, user)
    with raw.socket:
        try:
            raw.ask("hello", protocol=PROTOCOL)
        except Refused:
            return True
    return False


def test_a_password_that_was_overheard_admits_nobody_again(daemon: Daemon) -> None:
    info = daemon.info
    password = proof.client_password(info.token, info.endpoint, proof.new_nonce())
    assert not refused(daemon, password)
    assert refused(daemon, password)


def test_what_was_shown_elsewhere_admits_nobody(daemon: Daemon) -> None:
    info = daemon.info
    nonce = proof.new_nonce()
    port = "tcp://127.0.0.1:9"
    assert refused(daemon, proof.client_password(info.token, port, nonce))
    assert refused(daemon, proof.client_password("another", info.endpoint, nonce))
    assert refused(daemon, nonce + proof.daemon_proof(info.token, info.endpoint, nonce))
    assert refused(daemon, nonce)
    assert refused(daemon, "é" * 100)
    assert not refused(daemon, proof.client_password(info.token, info.endpoint, nonce))


def test_another_user_name_is_refused(daemon: Daemon) -> None:
    info = daemon.info
    password = proof.client_password(info.token, info.endpoint, proof.new_nonce())
    assert refused(daemon, password, "root")
    assert not refused(daemon, password)


def test_an_older_plug_in_is_told_that_it_is_older(daemon: Daemon) -> None:
    """It shows the token itself and, told another protocol, says: run install.py again."""
    raw = Raw(daemon, daemon.info.token)
    with raw.socket:
        hello = raw.ask("hello", protocol=1, version="0.1.0")
        assert (hello["op"], hello["protocol"]) == ("hello", PROTOCOL)
        assert PROTOCOL > 1
        assert raw.ask("status")["op"] == "error"


@pytest.mark.parametrize("nonce", [None, "", "x" * 32, "A" * 32, "0" * 31, "0" * 33, 5, ["0" * 32]])
def test_what_is_no_nonce_is_not_answered_with_a_proof(daemon: Daemon, nonce: object) -> None:
    raw = Raw(daemon, daemon.info.token)
    with raw.socket:
        assert raw.ask("hello", protocol=PROTOCOL, nonce=nonce)["proof"] is None


def test_remembered_nonces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_proof, "REMEMBERED", 3)
    checked = TokenProof("t", "e")
    passwords = [proof.client_password("t", "e", proof.new_nonce()).encode() for _ in range(9)]
    assert all(checked.admits(password) for password in passwords)
    assert not any(checked.admits(password) for password in passwords[-3:])
    assert len(checked._seen) == 3


def test_a_daemon_of_a_token_that_is_no_text_is_not_believed(daemon: Daemon) -> None:
    """Whatever daemon.json holds, it costs a sentence at most."""
    for token in ("\ud800", "x" * 100_000, "\0"):
        with pytest.raises(StaleDaemon):
            Client.connect(replace(daemon.info, token=token), SOON)
