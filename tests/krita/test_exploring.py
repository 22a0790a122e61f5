"""Explore's questions: first what is seen, then looks; newer ones, and the end of all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dreamlink.picture import Picture, Region
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.exploring.explorer import AGAIN
from tests.krita.test_seeing import Link as SimpleLink
from tests.link.test_seeing import ANSWER

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "krita"
LAYOUT = Picture(2, 1, "U8", "RGB")
RECIPE = presets.find(presets.DEFAULT).recipe()


class Link(SimpleLink):
    """A link that a listener may join and leave more than once, as the real one."""

    def open(self, listener: Any) -> None:
        self.leave(listener)
        super().open(listener)

    def leave(self, listener: Any) -> None:
        if listener in self.listeners:
            super().leave(listener)


@pytest.fixture
def exploring(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A walk that was begun, with its link and what it said."""
    krita: Any = ModuleType("krita")
    krita.Krita = krita.Selection = object
    monkeypatch.setitem(sys.modules, "krita", krita)
    monkeypatch.setitem(
        sys.modules, "dreamlayer_krita.qt.qt", SimpleNamespace(QtCore=None, QtGui=None)
    )
    monkeypatch.syspath_prepend(str(PLUGIN))
    from dreamlayer_krita.model.looking.exploring import Exploring

    def source(width: int) -> Any:
        return SimpleNamespace(
            picture=Picture(width, 1), region=Region(0, 0, 2, 1), pixels=bytes(4 * width),
            selection=b"\xff\x00",
        )  # fmt: skip

    link, changed, said = Link(), [], []
    job = Exploring(link, source(4), source(3), 2.0, RECIPE, lambda: changed.append(1), said.append)
    job.start()
    yield SimpleNamespace(job=job, link=link, changed=changed, said=said)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_krita")]:
        del sys.modules[name]


def asked(exploring: SimpleNamespace, place: int = -1) -> Any:
    """The header of a message that was sent."""
    return exploring.link.sent[place][0]


def see(exploring: SimpleNamespace) -> None:
    """Answer what the networks see."""
    exploring.job.received({**ANSWER, "id": asked(exploring, 0)["id"]}, [bytearray(12)])


def look(exploring: SimpleNamespace, index: int, complete: bool = True, **more: Any) -> None:
    header = {
        "op": "look", "id": asked(exploring)["id"], "index": index, "complete": complete,
        "preview": LAYOUT.to_dict(), **more,
    }  # fmt: skip
    exploring.job.received(header, [] if "text" in more else [bytearray([index] * 6)])


def finish(exploring: SimpleNamespace) -> None:
    """Answer all looks that were asked for."""
    header = asked(exploring)
    for index in range(len(header["recipes"])):
        look(exploring, index)
    exploring.job.received({"op": "looked", "id": header["id"], "seconds": 1.0}, [])


def test_first_what_is_seen_then_nine_looks(exploring: SimpleNamespace) -> None:
    (header, *frames) = exploring.link.sent[0]
    assert header["op"] == "see" and [len(frame) for frame in frames] == [16, 2]
    assert exploring.job.walk is None and not exploring.job.chosen()
    see(exploring)
    (header, *frames) = exploring.link.sent[1]
    assert header["op"] == "looks" and [len(frame) for frame in frames] == [12, 2]
    assert len(header["recipes"]) == 9 and header["mask"] and header["reduced"] == 2.0
    assert Recipe.of(header["recipes"][0]).layer == RECIPE.layer, "the middle is asked for first"
    assert exploring.changed


def test_looks_are_put_into_their_cells(exploring: SimpleNamespace) -> None:
    see(exploring)
    look(exploring, 0, complete=False)
    cells = exploring.job.walk.place.cells
    assert cells[4].picture == (LAYOUT, bytes([0] * 6)) and not cells[4].complete
    finish(exploring)
    assert all(cell.complete for cell in cells)
    assert exploring.said[-1] == "" and not exploring.link.listeners


def test_a_recipe_that_fails_tells_why_in_its_cell(exploring: SimpleNamespace) -> None:
    see(exploring)
    look(exploring, 1, text="No such layer.")
    assert exploring.job.walk.place.cells[0].text == "No such layer."


def test_going_on_asks_anew_and_older_answers_are_dropped(exploring: SimpleNamespace) -> None:
    see(exploring)
    before = asked(exploring)["id"]
    exploring.job.choose(0)
    after = asked(exploring)
    assert after["op"] == "looks" and after["id"] != before
    late = {"op": "cancelled", "id": before}
    exploring.job.received(late, [])
    assert exploring.link.listeners, "it waits for the newer looks"
    finish(exploring)
    exploring.job.back()
    assert asked(exploring)["op"] == "looks", "the looks of the first place were not complete"
    exploring.job.forward()
    assert asked(exploring)["op"] == "cancel", "nothing is missing there"
    assert not exploring.link.listeners


def test_the_middle_s_values_leave_the_user_s_own_alone(exploring: SimpleNamespace) -> None:
    see(exploring)
    exploring.job.surprise()
    values = exploring.job.chosen()
    assert values["layer"] == exploring.job.walk.middle.recipe.layer
    assert not {"seed", "tile", "context", "feather", "bind", "wrap"} & set(values)


def test_without_what_is_seen_there_are_still_neighbours(exploring: SimpleNamespace) -> None:
    header = {"op": "error", "id": asked(exploring)["id"], "text": "It does not know see."}
    exploring.job.received(header, [])
    assert asked(exploring)["op"] == "looks"
    finish(exploring)
    assert "It does not know see" in exploring.said[-1]


@pytest.mark.parametrize("seen", [False, True])
def test_stopping_tells_the_daemon(exploring: SimpleNamespace, seen: bool) -> None:
    if seen:
        see(exploring)
    last = asked(exploring)["id"]
    exploring.job.stop()
    assert exploring.link.sent[-1] == ({"op": "cancel", "id": last},)
    assert not exploring.link.listeners
    exploring.job.stop()
    assert [message[0]["op"] for message in exploring.link.sent].count("cancel") == 1


def test_an_error_and_a_lost_daemon_are_told(exploring: SimpleNamespace) -> None:
    see(exploring)
    refused = {"op": "error", "id": asked(exploring)["id"], "text": "Too many dreams wait."}
    exploring.job.received(refused, [])
    assert exploring.said[-1] == "Too many dreams wait." and not exploring.link.listeners
    exploring.job.choose(1)
    exploring.job.lost("The daemon is gone.")
    assert exploring.said[-1] == f"The daemon is gone. {AGAIN}"
    exploring.link.listeners.clear()
    exploring.job.choose(2)
    assert asked(exploring)["op"] == "looks", "it can go on with a new daemon"


def test_a_damaged_look_ends_it_with_a_sentence(exploring: SimpleNamespace) -> None:
    see(exploring)
    look(exploring, 77)
    assert "invalid" in exploring.said[-1] and not exploring.link.listeners
