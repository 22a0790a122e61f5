"""Explore's questions as both hosts ask them, and the moves among nine cells."""

from __future__ import annotations

from typing import Any

import pytest

from dreamlink.picture import Picture
from dreamlink.recipe import presets
from dreamlink.session.exploring.explorer import AGAIN, Explorer, LookSource
from dreamlink.session.exploring.nine_cells import beside, details
from dreamlink.session.inputs import Pixels
from dreamlink.session.seeing import ASKING
from tests.link.test_seeing import ANSWER

SOURCE = LookSource(Pixels(Picture(2, 1), bytes(8)), Picture(2, 1).region)
RECIPE = presets.find(presets.DEFAULT).recipe()


class ExploreSender:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, header: Any, *_frames: object) -> None:
        self.sent.append(header)

    @property
    def ops(self) -> list[str]:
        return [header["op"] for header in self.sent]


def begun(said: list[str] | None = None) -> Explorer:
    return Explorer(
        SOURCE, SOURCE, 1.0, RECIPE, lambda: None, ([] if said is None else said).append
    )


def seen(explorer: Explorer, sender: ExploreSender) -> None:
    """Ask what is seen, and answer it."""
    explorer.send(sender)
    assert explorer.receive({**ANSWER, "id": sender.sent[0]["id"]}, [bytearray(12)])


def test_a_question_is_sent_once() -> None:
    said: list[str] = []
    explorer, sender = begun(said), ExploreSender()
    assert explorer.unsent and not explorer.over
    explorer.send(sender)
    explorer.send(sender)
    assert sender.ops == ["see"] and said == [ASKING]
    assert not explorer.receive({"op": "seen", "id": "another"}, [])


def test_only_the_newest_of_unsent_looks_is_sent() -> None:
    explorer, sender = begun(), ExploreSender()
    seen(explorer, sender)
    explorer.choose(0)
    explorer.surprise()
    explorer.send(sender)
    assert sender.ops == ["see", "looks"] and not explorer.unsent


def test_what_was_not_sent_is_not_cancelled() -> None:
    explorer, sender = begun(), ExploreSender()
    explorer.cancel()
    assert explorer.over and not explorer.unsent
    explorer.send(sender)
    assert not sender.sent


def test_after_a_failure_a_choice_asks_anew() -> None:
    said: list[str] = []
    explorer, sender = begun(said), ExploreSender()
    seen(explorer, sender)
    explorer.send(sender)
    explorer.fail("The daemon is gone.")
    assert explorer.over and said[-1] == f"The daemon is gone. {AGAIN}"
    explorer.choose(2)
    explorer.send(sender)
    assert sender.ops == ["see", "looks", "looks"], "nobody is there to be told of a cancel"


def test_a_daemon_that_is_lost_while_it_sees_can_be_asked_for_looks() -> None:
    said: list[str] = []
    explorer, sender = begun(said), ExploreSender()
    explorer.send(sender)
    explorer.fail("The daemon is gone.")
    assert explorer.over and said[-1] == f"The daemon is gone. {AGAIN}"
    assert explorer.walk is not None and len(explorer.walk.place.cells) == 9
    explorer.choose(0)
    explorer.send(sender)
    assert sender.ops == ["see", "looks"]
    explorer.receive({"op": "looked", "id": sender.sent[-1]["id"]}, [])
    assert said[-1].startswith("What fires in the picture is not known (The daemon is gone), so")


def test_details_say_what_is_dreamed_or_why_it_is_not() -> None:
    explorer = begun()
    seen(explorer, ExploreSender())
    assert explorer.walk is not None
    cell = explorer.walk.place.cells[0]
    assert details(cell).endswith(("painted", "in steps"))
    cell.text = "No such layer."
    assert details(cell) == "No such layer."


@pytest.mark.parametrize(
    ("place", "step", "to"),
    [
        (4, (-1, 0), 3),
        (4, (0, 1), 7),
        (3, (-1, 0), 3),
        (2, (1, 0), 2),
        (8, (0, 1), 8),
        (1, (0, -1), 1),
    ],
)
def test_keys_stop_at_the_border(place: int, step: tuple[int, int], to: int) -> None:
    assert beside(place, *step) == to
