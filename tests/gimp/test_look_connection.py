"""The GIMP dialog's connection, with stand-ins for GLib and the daemon: what the networks see."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dreamlink.client.client import LinkError
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.exploring.explorer import AGAIN, Explorer, LookSource
from dreamlink.session.inputs import Pixels
from dreamlink.session.seeing import ASKING, Seeing
from tests.link.test_seeing import ANSWER

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "gimp" / "dreamlayer-gimp"
PICTURE = Pixels(Picture(3, 2), bytes(24))
STARTING = "Starting…"
LOST = "The connection was lost."


class Daemon:
    """The client's side of a daemon: what was sent, and what it answers when it is read."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answers: list[tuple[dict[str, Any], list[bytearray]]] = []
        self.lost = self.closed = False

    def send(self, header: dict[str, Any], *_frames: object) -> None:
        self.sent.append(header)

    def read(self) -> list[tuple[dict[str, Any], list[bytearray]]]:
        if self.lost:
            raise LinkError(LOST)
        answers, self.answers = self.answers, []
        return answers

    def close(self) -> None:
        self.closed = True

    def ops(self) -> list[tuple[str, str]]:
        """What was sent: ops, and the ids that they are about."""
        return [(header["op"], header["id"]) for header in self.sent]


class Loop:
    """GLib's timers; `turn` lets time pass."""

    def __init__(self) -> None:
        self._timers: dict[int, Callable[[], bool]] = {}
        self._made = 0

    def timeout_add(self, _milliseconds: int, call: Callable[[], bool]) -> int:
        self._made += 1
        self._timers[self._made] = call
        return self._made

    def source_remove(self, timer: int) -> None:
        del self._timers[timer]

    def turn(self) -> None:
        for timer, call in list(self._timers.items()):
            if not call():
                self._timers.pop(timer, None)

    @property
    def idle(self) -> bool:
        return not self._timers


@pytest.fixture
def dialog(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A connection that waits once for its daemon, with the texts of its looks."""
    loop, daemon, texts = Loop(), Daemon(), []
    gi, repository = ModuleType("gi"), ModuleType("gi.repository")
    gi.require_version = lambda *_: None  # type: ignore[attr-defined]
    repository.GLib = loop  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gi", gi)
    monkeypatch.setitem(sys.modules, "gi.repository", repository)
    monkeypatch.syspath_prepend(str(PLUGIN))
    from dreamlayer_gimp.dialog import look_connection

    def connecting() -> Generator[str, None, Daemon]:
        yield STARTING
        return daemon

    monkeypatch.setattr(look_connection, "connecting", connecting)
    monkeypatch.setattr(look_connection, "PAUSE", 0.0)
    connection = look_connection.LookConnection(lambda: texts.append(connection.text))
    yield SimpleNamespace(connection=connection, loop=loop, daemon=daemon, texts=texts)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_gimp")]:
        del sys.modules[name]


def question(said: list[str]) -> Seeing:
    asked = Seeing(PICTURE, PICTURE.layout.region, None, lambda: said.append(asked.text))
    return asked


def asked(dialog: SimpleNamespace, said: list[str]) -> Seeing:
    """A question that was sent to the daemon."""
    made = question(said)
    dialog.connection.follow("see", made)
    for _ in range(3):
        dialog.loop.turn()
    assert dialog.daemon.ops()[-1][0] == "see"
    return made


def test_asking_opens_the_connection_and_says_what_it_waits_for(dialog: SimpleNamespace) -> None:
    said: list[str] = []
    asked(dialog, said)
    assert said == [STARTING, ASKING]
    assert not dialog.texts, "the preview waits for nothing"
    assert [op for op, _ in dialog.daemon.ops()] == ["see"]


def test_the_answer_comes_and_the_loop_rests(dialog: SimpleNamespace) -> None:
    made = asked(dialog, [])
    assert not dialog.loop.idle
    dialog.daemon.answers.append(({**ANSWER, "id": dialog.daemon.sent[0]["id"]}, [bytearray(12)]))
    dialog.loop.turn()
    assert made.seen is not None and dialog.loop.idle


def test_another_question_cancels_the_one_before(dialog: SimpleNamespace) -> None:
    first = asked(dialog, [])
    asked(dialog, [])
    (_, one), cancel, (_, other) = dialog.daemon.ops()
    assert cancel == ("cancel", one) and other != one and first.over


def test_a_question_that_nobody_wants_any_more_is_not_waited_for(dialog: SimpleNamespace) -> None:
    made = asked(dialog, [])
    made.cancel()
    dialog.loop.turn()
    assert dialog.daemon.ops()[-1][0] == "cancel" and dialog.loop.idle


def test_closing_the_dialog_cancels(dialog: SimpleNamespace) -> None:
    asked(dialog, [])
    dialog.connection.close()
    assert [op for op, _ in dialog.daemon.ops()] == ["see", "cancel"]
    assert dialog.daemon.closed and dialog.loop.idle


def test_a_lost_daemon_is_told_and_the_next_question_looks_for_another(
    dialog: SimpleNamespace,
) -> None:
    said: list[str] = []
    asked(dialog, said)
    dialog.daemon.lost = True
    dialog.loop.turn()
    assert said[-1] == LOST and dialog.loop.idle
    assert not dialog.texts, "the preview has lost nothing"
    dialog.daemon.lost = False
    made = asked(dialog, said)
    dialog.daemon.answers.append(({**ANSWER, "id": dialog.daemon.sent[-1]["id"]}, [bytearray(12)]))
    dialog.loop.turn()
    assert made.seen is not None


def test_two_windows_ask_over_one_connection(dialog: SimpleNamespace) -> None:
    said: list[str] = []
    first = asked(dialog, [])
    source = LookSource(PICTURE, PICTURE.layout.region)
    explorer = Explorer(source, source, 1.0, Recipe(), lambda: None, said.append)
    dialog.connection.follow("explore", explorer)
    dialog.loop.turn()
    explored = dialog.daemon.sent[-1]
    assert explored["op"] == "see" and not first.over, "the other window's question goes on"
    dialog.daemon.answers = [({**ANSWER, "id": explored["id"]}, [bytearray(12)])]
    dialog.loop.turn()
    dialog.loop.turn()
    assert dialog.daemon.ops()[-1][0] == "looks"
    explorer.choose(0)
    dialog.connection.follow("explore", explorer)
    dialog.loop.turn()
    assert [op for op, _ in dialog.daemon.ops()] == ["see", "see", "looks", "looks"]
    dialog.daemon.lost = True
    dialog.loop.turn()
    assert said[-1] == f"{LOST} {AGAIN}" and first.text == LOST and dialog.loop.idle


def test_another_walk_cancels_the_one_before(dialog: SimpleNamespace) -> None:
    source = LookSource(PICTURE, PICTURE.layout.region)
    for _ in range(2):
        explorer = Explorer(source, source, 1.0, Recipe(), lambda: None, lambda _text: None)
        dialog.connection.follow("explore", explorer)
        for _ in range(3):
            dialog.loop.turn()
    assert [op for op, _ in dialog.daemon.ops()] == ["see", "cancel", "see"]
    dialog.connection.close()
    assert dialog.daemon.ops()[-1][0] == "cancel" and dialog.daemon.closed
