"""Conversations with errors in any part, in any order, while another client is served."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dreamlink.client.client import USER, Client
from dreamlink.wire.messages import PROTOCOL, pack, unpack
from dreamlink.wire.zmtp import Dealer, ZmtpError
from tests.fuzz import handshakes, requests, wire
from tests.fuzz.daemon_side import connect
from tests.fuzz.growth import Holdings, settled
from tests.fuzz.harnesses import feed
from tests.server.daemons import Daemon, ask, wait_until

EXAMPLES = 250
STEPS = 25
seeds = st.integers(0, 2**32)


class Talk:
    """One connection and what is owed to it.

    Attributes:
        wild: something was sent that has no place there, so that nothing but its end is sure.
        introduced: whether it has said hello.
        owed: how many of its requests must be answered by an error.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.socket = connect(daemon)
        self.dealer = Dealer(USER, daemon.info.token, 1 << 26)
        self.wild = self.introduced = False
        self.owed = self.errors = 0

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except ConnectionError:  # it was refused already
            self.wild = True

    def advance(self) -> None:
        """Take the next step of the handshake as it should be."""
        if self.wild or self.dealer.ready:
            return
        pieces = b"".join(self.dealer.outbox)
        self.dealer.outbox.clear()
        self.send(pieces)
        self._read_until(lambda: self.dealer.ready or bool(self.dealer.outbox))

    def ask(self, *messages: list[bytes], errors: int) -> None:
        """Send a request, which only now or never is understood."""
        if not self.dealer.ready:
            self.wild = True
        self.owed += errors
        for message in messages:
            self.send(wire.message(message))

    def settle(self) -> None:
        """Every error that is owed comes; then this end closes, and so does the other."""
        if not self.wild:
            self._read_until(lambda: self.errors >= self.owed)
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError), self.socket:
            while self.socket.recv(1 << 16):  # TimeoutError: it hangs
                pass

    def _read_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            data = self.socket.recv(1 << 16)
            if not data:
                raise AssertionError("closed in the middle of what was right")
            with contextlib.suppress(ZmtpError):
                feed(self.dealer, data)
            while self.dealer.messages:
                header = unpack(self.dealer.messages.popleft()[0])
                self.errors += header["op"] == "error"


class Conversations(RuleBasedStateMachine):
    """Up to a few connections at once; whatever they say, `healthy` is served."""

    daemon: ClassVar[Daemon]
    healthy: ClassVar[Client]
    talks: Bundle[Any] = Bundle("talks")

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Talk] = []

    @rule(target=talks)
    def begin(self) -> Talk:
        talk = Talk(self.daemon)
        self.all.append(talk)
        return talk

    @rule(talk=talks)
    def advance(self, talk: Talk) -> None:
        talk.advance()

    @rule(target=talks, protocol=st.sampled_from([PROTOCOL, PROTOCOL, 0, 99, "1"]))
    def arrive(self, protocol: object) -> Talk:
        """A connection that has come in, as most do."""
        talk = self.begin()
        for _ in range(3):
            talk.advance()
        self.introduce(talk, protocol)
        return talk

    @rule(talk=talks, seed=seeds)
    def greet_wrongly(self, talk: Talk, seed: int) -> None:
        talk.wild = True
        talk.send(handshakes.greeting(Random(seed)))

    @rule(talk=talks, seed=seeds)
    def command_wrongly(self, talk: Talk, seed: int) -> None:
        talk.wild = True
        for turn in handshakes.client_commands(Random(seed), self.daemon.info.token.encode()):
            talk.send(turn)

    @rule(talk=talks, protocol=st.sampled_from([PROTOCOL, PROTOCOL, 0, 99, "1"]))
    def introduce(self, talk: Talk, protocol: object) -> None:
        hello = {"op": "hello", "id": "h", "protocol": protocol, "version": "0"}
        talk.ask([pack(hello)], errors=0)
        talk.introduced = protocol == PROTOCOL

    @rule(talk=talks, seed=seeds)
    def ask_nonsense(self, talk: Talk, seed: int) -> None:
        talk.ask(*requests.header(Random(seed)), errors=1)

    @rule(talk=talks, seed=seeds)
    def dream_nonsense(self, talk: Talk, seed: int) -> None:
        talk.ask(*requests.geometry(Random(seed)), errors=1)

    @rule(talk=talks, seed=seeds)
    def dream(self, talk: Talk, seed: int) -> None:
        talk.ask(*requests.request(*requests.dream(Random(seed))), errors=not talk.introduced)

    @rule(talk=talks)
    def ask_status(self, talk: Talk) -> None:
        talk.ask([pack({"op": "status", "id": "s"})], errors=not talk.introduced)

    @rule(talk=talks, data=st.binary(max_size=100))
    def babble(self, talk: Talk, data: bytes) -> None:
        talk.wild = True
        talk.send(data)

    @rule(talk=talks, name=st.sampled_from([b"PING", b"PONG", b"JOIN", b"", b"SUBSCRIBE"]),
          data=st.binary(max_size=30))  # fmt: skip
    def command(self, talk: Talk, name: bytes, data: bytes) -> None:
        """A command where messages are due: libzmq may answer or pass over it."""
        talk.wild = True
        talk.send(wire.command(name, data))

    @rule(talk=consumes(talks))
    def end(self, talk: Talk) -> None:
        self.all.remove(talk)
        talk.settle()

    @rule(talk=consumes(talks))
    def vanish(self, talk: Talk) -> None:
        self.all.remove(talk)
        talk.socket.close()

    @invariant()
    def somebody_is_served(self) -> None:
        assert ask(self.healthy, "status")["op"] == "status"

    def teardown(self) -> None:
        for talk in self.all:
            talk.settle()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    daemon = Daemon(tmp_path / "home")
    with contextlib.closing(daemon.connect()) as client:
        wait_until(lambda: bool(ask(client, "status")["device"]))  # all its threads have begun
        Conversations.daemon, Conversations.healthy = daemon, client
        yield daemon
    daemon.kill()


def test_any_messages_in_any_order_leave_others_served(served: Daemon) -> None:
    pid = served.process.pid
    before = Holdings.of(pid)
    run_state_machine_as_test(
        Conversations,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None),
    )
    assert served.process.poll() is None, served.log.read_text()
    with contextlib.closing(served.connect()) as following:
        assert ask(following, "status")["op"] == "status"
    if before is not None:
        after = settled(pid, before)
        assert after.files <= before.files
        assert after.threads <= before.threads
