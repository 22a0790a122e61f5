"""Krita's part in the question what the networks see: it listens to the link until it is over."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dreamlink.picture import Picture, Region
from dreamlink.wire.messages import new_id
from tests.link.test_seeing import ANSWER

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "krita"


class Link:
    """A link that is connected at once, and keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.listeners: list[Any] = []

    def open(self, listener: Any) -> None:
        self.listeners.append(listener)
        listener.connected()

    def leave(self, listener: Any) -> None:
        self.listeners.remove(listener)

    def send(self, *message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A job that was started over a selection of 2 × 1 pixels, with its link and what it said."""
    krita: Any = ModuleType("krita")
    krita.Krita = krita.Selection = object
    monkeypatch.setitem(sys.modules, "krita", krita)
    monkeypatch.setitem(
        sys.modules, "dreamlayer_krita.qt.qt", SimpleNamespace(QtCore=None, QtGui=None)
    )
    monkeypatch.syspath_prepend(str(PLUGIN))
    from dreamlayer_krita.model.looking.seeing import SeeingJob

    source: Any = SimpleNamespace(
        picture=Picture(3, 2), region=Region(1, 0, 2, 1), pixels=bytes(24), selection=b"\xff\x00"
    )
    link, shown, said = Link(), [], []
    job = SeeingJob(link, source, shown.append, said.append)
    job.start()
    yield SimpleNamespace(job=job, link=link, shown=shown, said=said)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_krita")]:
        del sys.modules[name]


def test_pixels_and_selection_are_sent(asked: SimpleNamespace) -> None:
    ((header, *frames),) = asked.link.sent
    assert header["op"] == "see" and header["mask"] is True and header["region"] == [1, 0, 2, 1]
    assert [bytes(frame) for frame in frames] == [bytes(24), b"\xff\x00"]


def test_the_answer_is_shown_once_and_the_link_is_left(asked: SimpleNamespace) -> None:
    own = asked.link.sent[0][0]["id"]
    asked.job.received({**ANSWER, "id": new_id()}, [bytearray(12)])
    assert not asked.shown
    asked.job.received({**ANSWER, "id": own}, [bytearray(12)])
    assert len(asked.shown) == 1 and asked.said[-1] == "" and not asked.link.listeners
    asked.job.stop()
    assert len(asked.link.sent) == 1, "there is nothing left to cancel"


def test_an_error_is_told_and_the_link_is_left(asked: SimpleNamespace) -> None:
    own = asked.link.sent[0][0]["id"]
    asked.job.received({"op": "error", "id": own, "text": "Nothing is selected."}, [])
    assert asked.said[-1] == "Nothing is selected." and not asked.shown and not asked.link.listeners


def test_an_answer_that_can_not_be_shown_is_told(asked: SimpleNamespace) -> None:
    own = asked.link.sent[0][0]["id"]
    asked.job.received({**ANSWER, "id": own}, [bytearray(12)])
    asked.job.fail("Krita's picture is gone.")  # the link calls it when a listener raises
    assert asked.said[-1] == "Krita's picture is gone."


def test_stopping_tells_the_daemon(asked: SimpleNamespace) -> None:
    asked.job.stop()
    own = asked.link.sent[0][0]["id"]
    assert asked.link.sent[1] == ({"op": "cancel", "id": own},) and not asked.link.listeners
