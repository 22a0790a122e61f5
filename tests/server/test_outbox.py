"""Messages to clients whose queues are full at times."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.outbox import Outbox, SendResult


class Line:
    """The way to the clients: full whenever the test says so, one word a try."""

    def __init__(self, full: list[bool]) -> None:
        self.full = full
        self.arrived: list[tuple[bytes, int]] = []
        self.gone: set[bytes] = set()
        self.lost: Counter[bytes] = Counter()
        self.outbox = Outbox(self._send, lambda peer: self.lost.update([peer]))

    def _send(self, message: Outgoing) -> SendResult:
        if message.peer in self.gone:
            return SendResult.DISCONNECTED
        if self.full and self.full.pop(0):
            return SendResult.FULL
        self.arrived.append((message.peer, message.header["number"]))
        return SendResult.SENT


def message(peer: bytes, number: int, op: str = "done") -> Outgoing:
    return Outgoing(peer, {"op": op, "number": number})


@given(st.lists(st.booleans()), st.lists(st.sampled_from([b"a", b"b"])))
def test_each_client_gets_all_its_messages_in_order(full: list[bool], peers: list[bytes]) -> None:
    line = Line(full)
    for number, peer in enumerate(peers):
        if number % 2:
            line.outbox.send(message(peer, number))
        else:
            line.outbox.send_all([message(peer, number)])
    while line.outbox.waiting:
        line.outbox.send_all()
    for peer in (b"a", b"b"):
        sent = [number for number, to in enumerate(peers) if to == peer]
        assert [number for to, number in line.arrived if to == peer] == sent


def test_a_client_that_does_not_read_delays_no_other() -> None:
    line = Line([True])
    line.outbox.send(message(b"a", 1))
    line.outbox.send(message(b"b", 2))
    assert line.arrived == [(b"b", 2)]


def test_progress_is_dropped_for_a_client_that_does_not_read() -> None:
    line = Line([True])
    for number, op in enumerate(("queued", "progress", "done")):
        line.outbox.send(message(b"a", number, op))
    line.outbox.send_all()
    assert line.arrived == [(b"a", 0), (b"a", 2)]
    assert not line.outbox.waiting


def test_messages_for_a_lost_client_are_dropped_and_the_loss_reported_once() -> None:
    line = Line([True])
    line.outbox.send(message(b"a", 1))
    line.outbox.send(message(b"a", 2))
    line.gone.add(b"a")
    line.outbox.send_all()
    assert (line.arrived, line.outbox.waiting, line.lost) == ([], False, {b"a": 1})


def test_unread_messages_are_counted() -> None:
    line = Line([True] * 3)
    for number in range(3):
        line.outbox.send(message(b"a", number))
    assert (line.outbox.unread(b"a"), line.outbox.unread(b"b")) == (3, 0)
    line.full.clear()
    line.outbox.send_all()
    assert line.outbox.unread(b"a") == 0
