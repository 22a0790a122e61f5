"""The Krita plug-in's connection with several listeners, with stand-ins for Qt and the daemon."""

import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dreamlink.client.client import LinkError

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "krita"
LOST = "The connection to the Dreamlayer daemon was lost."


class Signal:
    def __init__(self) -> None:
        self.slots: list[Callable[..., None]] = []

    def connect(self, slot: Callable[..., None]) -> None:
        self.slots.append(slot)

    def emit(self) -> None:
        for slot in self.slots:
            slot()


class Timer:
    """A timer that `tick` fires while it is active; `all` has every timer."""

    all: list["Timer"] = []  # noqa: RUF012 (emptied by the fixture)

    def __init__(self) -> None:
        self.timeout = Signal()
        self.active = False
        Timer.all.append(self)

    def setInterval(self, _milliseconds: int) -> None:  # noqa: N802 (Qt's names)
        pass

    def start(self) -> None:
        self.active = True

    def stop(self) -> None:
        self.active = False


def tick() -> None:
    for timer in list(Timer.all):
        if timer.active:
            timer.timeout.emit()


class Notifier:
    Type = SimpleNamespace(Read="read", Write="write")
    all: list["Notifier"] = []  # noqa: RUF012

    def __init__(self, _fileno: int, kind: str) -> None:
        self.kind = kind
        self.activated = Signal()
        self.enabled = True
        Notifier.all.append(self)

    def setEnabled(self, enabled: bool) -> None:  # noqa: N802
        self.enabled = enabled

    def deleteLater(self) -> None:  # noqa: N802
        Notifier.all.remove(self)


class Client:
    """A connection that has received `inbox`; when `broken`, reading raises LinkError."""

    wants_to_write = False

    def __init__(self) -> None:
        self.inbox: list[Any] = []
        self.sent: list[Any] = []
        self.broken = False

    def fileno(self) -> int:
        return 7

    def send(self, header: Any, *_frames: Any) -> None:
        self.sent.append(header)

    def read(self) -> list[Any]:
        if self.broken:
            raise LinkError(LOST)
        messages, self.inbox = self.inbox, []
        return messages

    def close(self) -> None:
        pass


class RecordingListener:
    """Records its calls; `reopens`: looks for a lost daemon; `fails`: raises when it receives."""

    def __init__(self, link: Any, reopens: bool = False, fails: bool = False) -> None:
        self.link = link
        self.reopens = reopens
        self.fails = fails
        self.calls: list[str] = []

    def waiting(self, _sentence: str) -> None:
        self.calls.append("waiting")

    def connected(self) -> None:
        self.calls.append("connected")

    def received(self, header: Any, _frames: Any) -> None:
        self.calls.append(header["op"])
        if self.fails:
            raise ZeroDivisionError

    def lost(self, reason: str) -> None:
        self.calls.append("lost")
        if self.reopens:
            self.reopens = False
            self.link.reopen(self, reason)

    def fail(self, reason: str) -> None:
        self.calls.append("fail")
        self.link.leave(self)


class Daemon:
    """Stands in for `dreamlink.client.launch`: after `polls` polls it has `client`, or None."""

    def __init__(self) -> None:
        self.client: Client | None = Client()
        self.polls = 1
        self.started = 0

    def connecting(self) -> Generator[str, None, Client]:
        self.started += 1
        for _ in range(self.polls):
            yield "Starting…"
        if self.client is None:
            raise LinkError("It did not start.")
        return self.client

    def returning(self) -> Generator[str, None, Client | None]:
        for _ in range(self.polls):
            yield "Looking…"
        return self.client


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The module under test, a Link, the daemon, shown errors and the states so far."""
    Timer.all, Notifier.all = [], []
    qt: Any = ModuleType("dreamlayer_krita.qt.qt")
    qt.QtCore = SimpleNamespace(QTimer=Timer, QSocketNotifier=Notifier)
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(sys.modules, "dreamlayer_krita.qt.qt", qt)
    from dreamlayer_krita.qt import connection

    daemon = Daemon()
    monkeypatch.setattr(connection.launch, "connecting", daemon.connecting)
    monkeypatch.setattr(connection.launch, "returning", daemon.returning)
    errors: list[str] = []
    states: list[str] = []
    link = connection.Link(errors.append, lambda: states.append(link.state.value))
    yield SimpleNamespace(module=connection, link=link, daemon=daemon, errors=errors, states=states)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_krita")]:
        monkeypatch.delitem(sys.modules, name)


def receive(client: Client, *ops: str) -> None:
    client.inbox = [({"op": op}, []) for op in ops]
    for notifier in [n for n in Notifier.all if n.kind == "read"]:
        notifier.activated.emit()


def connected(setup: SimpleNamespace, *listeners: RecordingListener) -> Client:
    client: Client = setup.daemon.client
    for listener in listeners:
        setup.link.open(listener)
    tick()
    for listener in listeners:
        assert listener.calls[-1] == "connected"
        listener.calls.clear()
    return client


def test_all_listeners_share_one_connection(setup: SimpleNamespace) -> None:
    one, other = RecordingListener(setup.link), RecordingListener(setup.link)
    client = connected(setup, one, other)
    assert setup.daemon.started == 1
    receive(client, "queued", "done")
    assert one.calls == other.calls == ["queued", "done"]
    assert setup.states == ["opening", "opening", "open"]  # the sentence changed in between


def test_later_listener_is_connected_at_once(setup: SimpleNamespace) -> None:
    connected(setup, RecordingListener(setup.link))
    late = RecordingListener(setup.link)
    setup.link.open(late)
    assert late.calls == ["connected"]


def test_connection_stays_open_when_a_listener_leaves(setup: SimpleNamespace) -> None:
    one, other = RecordingListener(setup.link), RecordingListener(setup.link)
    client = connected(setup, one, other)
    setup.link.leave(one)
    receive(client, "done")
    assert (one.calls, other.calls) == ([], ["done"])
    setup.link.leave(other)
    assert setup.link.state is setup.module.ConnectionState.OPEN


def test_error_in_a_listener_ends_only_that_one(setup: SimpleNamespace) -> None:
    failing, other = RecordingListener(setup.link, fails=True), RecordingListener(setup.link)
    client = connected(setup, failing, other)
    receive(client, "progress", "done")
    assert failing.calls == ["progress", "fail"]
    assert other.calls == ["progress", "done"]
    assert not setup.errors


def test_connecting_stops_when_the_last_listener_leaves(setup: SimpleNamespace) -> None:
    one = RecordingListener(setup.link)
    setup.daemon.polls = 99
    setup.link.open(one)
    setup.link.leave(one)
    assert setup.link.state is setup.module.ConnectionState.CLOSED
    assert not any(timer.active for timer in Timer.all)


def test_all_listeners_are_told_that_no_daemon_starts(setup: SimpleNamespace) -> None:
    one, other = RecordingListener(setup.link), RecordingListener(setup.link)
    setup.daemon.client = None
    setup.link.open(one)
    setup.link.open(other)
    tick()
    assert one.calls[-1] == other.calls[-1] == "lost"
    assert setup.link.state is setup.module.ConnectionState.FAILED
    assert setup.link.sentence == "It did not start."


def lose(client: Client) -> None:
    client.broken = True
    receive(client)


def test_only_listeners_that_reopen_get_a_lost_daemon_back(setup: SimpleNamespace) -> None:
    dreamer, looker = RecordingListener(setup.link, reopens=True), RecordingListener(setup.link)
    first = connected(setup, dreamer, looker)
    setup.daemon.client = Client()
    lose(first)
    assert (dreamer.calls, looker.calls) == (["lost"], ["lost"])
    tick()
    tick()
    assert dreamer.calls == ["lost", "waiting", "connected"]
    receive(setup.daemon.client, "done")
    assert (dreamer.calls[-1], looker.calls[-1]) == ("done", "lost")


def test_dead_daemon_is_replaced_only_for_new_listeners(
    setup: SimpleNamespace,
) -> None:
    dreamer, new = RecordingListener(setup.link, reopens=True), RecordingListener(setup.link)
    first = connected(setup, dreamer)
    setup.daemon.client = None
    lose(first)
    setup.link.open(new)  # while the other one is looking for it
    tick()
    tick()
    assert dreamer.calls == ["lost", "waiting", "lost"]
    assert "lost" not in new.calls
    setup.daemon.client = Client()
    tick()
    tick()
    assert new.calls[-1] == "connected"
    assert setup.daemon.started == 2


def test_nothing_is_sent_without_a_connection(setup: SimpleNamespace) -> None:
    with pytest.raises(LinkError):
        setup.link.send({"op": "dream"})
    client = connected(setup, RecordingListener(setup.link))
    setup.link.send({"op": "dream"})
    assert client.sent == [{"op": "dream"}]
    setup.link.close()
    with pytest.raises(LinkError):
        setup.link.send({"op": "dream"})
    assert not Notifier.all
