"""Messages to clients whose queues are full at times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.server.transport import outbox
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.outbox import Outbox, SendResult
from dreamlayer.server.transport.packing import Packed
from dreamlayer.server.transport.principal import LOCAL_USER, Peer, Principal
from dreamlink.wire.messages import unpack
from tests.server.peers import GUEST, OTHER_GUEST, peer


class Clients:
    """The way to the clients: full whenever the test says so, one word a try."""

    def __init__(self, full: list[bool], unread_max: int = 1000) -> None:
        self.full = full
        self.arrived: list[tuple[str, int]] = []
        self.gone: set[Peer] = set()
        self.lost: Counter[Peer] = Counter()
        self.closed: list[Peer] = []
        self.flying: dict[Principal, list[int]] = {}
        self.outbox = Outbox(self, lambda peer: self.lost.update([peer]), unread_max)

    def send(self, message: Packed) -> SendResult:
        if message.peer in self.gone:
            return SendResult.DISCONNECTED
        if self.full and self.full.pop(0):
            return SendResult.FULL
        number = unpack(message.frames[0])["number"]
        self.arrived.append((message.peer.routing_id.decode(), number))
        return SendResult.SENT

    def in_flight(self, principal: Principal) -> Iterable[int]:
        return self.flying.get(principal, [])

    def hang_up(self, peer: Peer) -> None:
        self.closed.append(peer)


A, B = peer("a"), peer("b")


def message(to: Peer, number: int, op: str = "done", size: int = 0) -> Outgoing:
    return Outgoing(to, {"op": op, "number": number}, [bytes(size)] if size else ())


@given(st.lists(st.booleans()), st.lists(st.sampled_from("ab")))
def test_each_client_gets_all_its_messages_in_order(full: list[bool], peers: list[str]) -> None:
    line = Clients(full)
    for number, name in enumerate(peers):
        if number % 2:
            line.outbox.send(message(peer(name), number))
        else:
            line.outbox.send_all([message(peer(name), number)])
    while line.outbox.waiting:
        line.outbox.send_all()
    for name in "ab":
        sent = [number for number, to in enumerate(peers) if to == name]
        assert [number for to, number in line.arrived if to == name] == sent


def test_a_client_that_does_not_read_delays_no_other() -> None:
    line = Clients([True])
    line.outbox.send(message(A, 1))
    line.outbox.send(message(B, 2))
    assert line.arrived == [("b", 2)]


def test_progress_is_dropped_for_a_client_that_does_not_read() -> None:
    line = Clients([True])
    for number, op in enumerate(("queued", "progress", "done")):
        line.outbox.send(message(A, number, op))
    line.outbox.send_all()
    assert line.arrived == [("a", 0), ("a", 2)]
    assert not line.outbox.waiting


def test_messages_for_a_lost_client_are_dropped_and_the_loss_reported_once() -> None:
    line = Clients([True])
    line.outbox.send(message(A, 1))
    line.outbox.send(message(A, 2))
    line.gone.add(A)
    line.outbox.send_all()
    assert (line.arrived, line.outbox.waiting, line.lost) == ([], False, {A: 1})


def test_unread_messages_are_counted() -> None:
    line = Clients([True] * 3)
    for number in range(3):
        line.outbox.send(message(A, number))
    assert (line.outbox.unread(A), line.outbox.unread(B)) == (3, 0)
    line.full.clear()
    line.outbox.send_all()
    assert line.outbox.unread(A) == 0


# Clients that don't read.


def test_who_leaves_too_many_answers_unread_is_disconnected() -> None:
    clients = Clients([True] * 10, unread_max=3)
    clients.outbox.send(message(B, 0))
    for number in range(5):
        clients.outbox.send(message(A, number))
    assert clients.closed == [A]
    assert (clients.outbox.unread(A), clients.outbox.unread(B)) == (0, 1)
    clients.outbox.forget(A)
    clients.full.clear()
    clients.outbox.send_all()
    assert clients.arrived == [("b", 0)]


def test_what_a_guest_leaves_unread_is_bounded_over_all_its_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "UNREAD_BYTES", 4000)
    first, second = peer("a", GUEST), peer("b", GUEST)
    others = [peer("c", OTHER_GUEST), peer("d")]
    clients = Clients([True] * 100)
    for to in [first, *others]:
        clients.outbox.send(message(to, 0, size=5000))  # the largest is being read
    for to in [second, *others]:
        clients.outbox.send(message(to, 1, size=900))
    assert clients.closed == []
    clients.outbox.send(message(second, 2, size=100))
    assert clients.closed == [second]
    for number in range(9):  # the local user's are bounded by what was admitted
        clients.outbox.send(message(others[1], number, size=900))
    assert clients.closed == [second]


def test_unread_bytes_are_those_besides_the_largest() -> None:
    clients = Clients([True] * 9)
    assert clients.outbox.unread_bytes(LOCAL_USER) == 0
    clients.flying = {LOCAL_USER: [500, 7], GUEST: [1000]}
    clients.outbox.send(message(A, 0, size=300))
    assert 307 <= clients.outbox.unread_bytes(LOCAL_USER) < 350
    assert clients.outbox.unread_bytes(GUEST) == 0
