"""The Krita plug-in's connection with several who listen, with stand-ins for Qt and the daemon."""

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
    """Every timer there is; `tick` lets those go off that run."""

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
    """A connection on which `inbox` has come; reading it when `broken` tells of a loss."""

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


class Listener:
    """Writes down what it hears; `comes_back` looks for a daemon that was lost."""

    def __init__(self, link: Any, comes_back: bool = False, clumsy: bool = False) -> None:
        self.link = link
        self.comes_back = comes_back
        self.clumsy = clumsy
        self.heard: list[str] = []

    def waiting(self, _sentence: str) -> None:
        self.heard.append("waiting")

    def connected(self) -> None:
        self.heard.append("connected")

    def received(self, header: Any, _frames: Any) -> None:
        self.heard.append(header["op"])
        if self.clumsy:
            raise ZeroDivisionError

    def lost(self, reason: str) -> None:
        self.heard.append("lost")
        if self.comes_back:
            self.comes_back = False
            self.link.reopen(self, reason)

    def fail(self, reason: str) -> None:
        self.heard.append("fail")
        self.link.leave(self)


class Daemon:
    """What `dreamlink.client.launch` finds: after `looks` looks `client`, or nothing."""

    def __init__(self) -> None:
        self.client: Client | None = Client()
        self.looks = 1
        self.started = 0

    def connecting(self) -> Generator[str, None, Client]:
        self.started += 1
        for _ in range(self.looks):
            yield "Starting…"
        if self.client is None:
            raise LinkError("It did not start.")
        return self.client

    def returning(self) -> Generator[str, None, Client | None]:
        for _ in range(self.looks):
            yield "Looking…"
        return self.client


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The module `link`, a Link, the daemon, and all that was said of failures."""
    Timer.all, Notifier.all = [], []
    qt: Any = ModuleType("dreamlayer_krita.qt.qt")
    qt.QtCore = SimpleNamespace(QTimer=Timer, QSocketNotifier=Notifier)
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(sys.modules, "dreamlayer_krita.qt.qt", qt)
    from dreamlayer_krita.qt import connection as link

    daemon = Daemon()
    monkeypatch.setattr(link.launch, "connecting", daemon.connecting)
    monkeypatch.setattr(link.launch, "returning", daemon.returning)
    said: list[str] = []
    states: list[str] = []
    made = link.Link(said.append, lambda: states.append(made.state.value))
    yield SimpleNamespace(module=link, link=made, daemon=daemon, said=said, states=states)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_krita")]:
        monkeypatch.delitem(sys.modules, name)


def arrive(client: Client, *ops: str) -> None:
    client.inbox = [({"op": op}, []) for op in ops]
    for notifier in [n for n in Notifier.all if n.kind == "read"]:
        notifier.activated.emit()


def connected(at: SimpleNamespace, *listeners: Listener) -> Client:
    client: Client = at.daemon.client
    for listener in listeners:
        at.link.open(listener)
    tick()
    for listener in listeners:
        assert listener.heard[-1] == "connected"
        listener.heard.clear()
    return client


def test_all_wait_for_one_connection_and_hear_all_of_it(at: SimpleNamespace) -> None:
    one, other = Listener(at.link), Listener(at.link)
    client = connected(at, one, other)
    assert at.daemon.started == 1
    arrive(client, "queued", "done")
    assert one.heard == other.heard == ["queued", "done"]
    assert at.states == ["opening", "opening", "open"]  # the sentence changed in between


def test_a_later_one_is_connected_at_once(at: SimpleNamespace) -> None:
    connected(at, Listener(at.link))
    late = Listener(at.link)
    at.link.open(late)
    assert late.heard == ["connected"]


def test_who_has_left_hears_nothing_and_the_connection_stays(at: SimpleNamespace) -> None:
    one, other = Listener(at.link), Listener(at.link)
    client = connected(at, one, other)
    at.link.leave(one)
    arrive(client, "done")
    assert (one.heard, other.heard) == ([], ["done"])
    at.link.leave(other)
    assert at.link.state is at.module.ConnectionState.OPEN


def test_an_error_in_one_ends_that_one_only(at: SimpleNamespace) -> None:
    clumsy, other = Listener(at.link, clumsy=True), Listener(at.link)
    client = connected(at, clumsy, other)
    arrive(client, "progress", "done")
    assert clumsy.heard == ["progress", "fail"]
    assert other.heard == ["progress", "done"]
    assert not at.said


def test_the_last_to_leave_ends_the_search(at: SimpleNamespace) -> None:
    one = Listener(at.link)
    at.daemon.looks = 99
    at.link.open(one)
    at.link.leave(one)
    assert at.link.state is at.module.ConnectionState.CLOSED
    assert not any(timer.active for timer in Timer.all)


def test_a_daemon_that_does_not_start_is_told_to_all(at: SimpleNamespace) -> None:
    one, other = Listener(at.link), Listener(at.link)
    at.daemon.client = None
    at.link.open(one)
    at.link.open(other)
    tick()
    assert one.heard[-1] == other.heard[-1] == "lost"
    assert at.link.state is at.module.ConnectionState.FAILED
    assert at.link.sentence == "It did not start."


def lose(client: Client) -> None:
    client.broken = True
    arrive(client)


def test_a_lost_daemon_is_looked_for_by_those_who_want_it_back(at: SimpleNamespace) -> None:
    dreamer, looker = Listener(at.link, comes_back=True), Listener(at.link)
    first = connected(at, dreamer, looker)
    at.daemon.client = Client()
    lose(first)
    assert (dreamer.heard, looker.heard) == (["lost"], ["lost"])
    tick()
    tick()
    assert dreamer.heard == ["lost", "waiting", "connected"]
    arrive(at.daemon.client, "done")
    assert (dreamer.heard[-1], looker.heard[-1]) == ("done", "lost")


def test_a_dead_daemon_is_lost_to_who_had_it_and_started_for_who_is_new(
    at: SimpleNamespace,
) -> None:
    dreamer, new = Listener(at.link, comes_back=True), Listener(at.link)
    first = connected(at, dreamer)
    at.daemon.client = None
    lose(first)
    at.link.open(new)  # while the other one looks
    tick()
    tick()
    assert dreamer.heard == ["lost", "waiting", "lost"]
    assert "lost" not in new.heard
    at.daemon.client = Client()
    tick()
    tick()
    assert new.heard[-1] == "connected"
    assert at.daemon.started == 2


def test_nothing_is_sent_without_a_connection(at: SimpleNamespace) -> None:
    with pytest.raises(LinkError):
        at.link.send({"op": "dream"})
    client = connected(at, Listener(at.link))
    at.link.send({"op": "dream"})
    assert client.sent == [{"op": "dream"}]
    at.link.close()
    with pytest.raises(LinkError):
        at.link.send({"op": "dream"})
    assert not Notifier.all
