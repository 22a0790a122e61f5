"""Explore: asks what the networks see, then for looks at a recipe's neighbours. No Qt here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dreamlink.recipe.presets import KEPT
from dreamlink.recipe.recipe import Recipe, Value
from dreamlink.session.exploring.exploration import Exploration
from dreamlink.session.exploring.things import things_of
from dreamlink.wire.looks import LookAnswer, LooksRequest
from dreamlink.wire.messages import Frame, Header, MessageError
from dreamlink.wire.seeing import Seen, SeeRequest

from ...document.source import LayerSource
from ..daemon_link import DaemonLink

COUNT = 12  # rows of each list of what is seen
ASKING = "Looking at the picture…"
LOOKING = "Taking nine looks…"
CLOSER = "Looking closer…"
NOT_SEEN = "What fires in the picture is not known ({}), so these are presets and variations."
NOT_EXPLORED = KEPT | {"wrap"}  # parameters that Explore leaves as they are


class Exploring:
    """One walk, from the pixels on; a listener of the link while it waits for an answer.

    Args:
        seen: the source, reduced as for a quick look: what is asked about.
        small: the same, small enough for nine looks.
        reduced: how many times smaller `small` is than the picture.
        recipe: the first middle.
        changed: called when cells, or the way back and forth, have changed.
        say: gets the status; "" when all looks are complete.

    Attributes:
        walk: the nine cells; None until it is known what the networks see.
    """

    def __init__(
        self,
        link: DaemonLink,
        seen: LayerSource,
        small: LayerSource,
        reduced: float,
        recipe: Recipe,
        changed: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.walk: Exploration | None = None
        self._link = link
        self._small = small
        self._reduced = reduced
        self._recipe = recipe
        self._changed = changed
        self._say = say
        self._note = ""  # what stays to be told when all looks are there
        self._frames = _frames(seen)
        self._see: SeeRequest | None = SeeRequest(
            seen.picture, seen.region, seen.selection is not None, count=COUNT
        )
        self._looks: LooksRequest | None = None
        self._asked: list[int] = []  # the cell of each recipe in `_looks`

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a look, px."""
        return self._small.region.width, self._small.region.height

    def start(self) -> None:
        """Ask what the networks see."""
        self._say(ASKING)
        self._link.open(self)

    def choose(self, index: int) -> None:
        """Make a cell the middle, with new neighbours."""
        if self.walk is not None:
            self.walk.choose(index)
            self._look()

    def back(self) -> None:
        """To the middle before."""
        if self.walk is not None and self.walk.can_go_back:
            self.walk.back()
            self._look()

    def forward(self) -> None:
        """To the middle after."""
        if self.walk is not None and self.walk.can_go_forward:
            self.walk.forward()
            self._look()

    def surprise(self) -> None:
        """To a middle far away."""
        if self.walk is not None:
            self.walk.surprise()
            self._look()

    def chosen(self) -> dict[str, Value]:
        """The middle's values for the form; without those that have nothing to do with looks."""
        if self.walk is None:
            return {}
        values = self.walk.middle.recipe.to_dict()
        return {name: value for name, value in values.items() if name not in NOT_EXPLORED}

    def stop(self) -> None:
        """Nobody wants the looks any more: the daemon is told at once."""
        waits = self._see or self._looks
        self._see = self._looks = None
        self._link.leave(self)
        if waits is not None:
            with contextlib.suppress(ConnectionError):  # then the daemon stops by itself
                self._link.send({"op": "cancel", "id": waits.id})

    # The link calls these.

    def waiting(self, sentence: str) -> None:
        self._say(sentence)

    def connected(self) -> None:
        if self._see is not None:
            self._say(ASKING)
            self._link.send(self._see.header(), *self._frames)
        elif self._looks is not None:
            self._link.send(self._looks.header(), *_frames(self._small))

    def received(self, header: Header, frames: list[bytearray]) -> None:
        request_id = header.get("id")
        try:
            if self._see is not None and request_id == self._see.id:
                self._take_seen(header, frames)
            elif self._looks is not None and request_id == self._looks.id:
                self._take_answer(header, frames)
        except MessageError as error:
            self.stop()
            self._say(str(error))

    def lost(self, reason: str) -> None:
        self._see = self._looks = None
        self._say(reason)

    def fail(self, reason: str) -> None:
        self.stop()
        self._say(reason)

    def _take_seen(self, header: Header, frames: list[bytearray]) -> None:
        self._see, seen = None, None
        if header["op"] == "seen":
            seen = Seen.of(header, frames)
        else:
            self._note = NOT_SEEN.format(str(header.get("text", "it was cancelled")).rstrip("."))
        self.walk = Exploration(self._recipe, things_of(seen), self._reduced)
        self._look()

    def _look(self) -> None:
        """Ask for the looks that are missing here; the daemon drops those asked for before."""
        assert self.walk is not None
        before, self._looks = self._looks, None
        wanted = self.walk.wanted()
        self._asked = [index for index, _ in wanted]
        self._changed()
        if not wanted:
            if before is not None:
                with contextlib.suppress(ConnectionError):
                    self._link.send({"op": "cancel", "id": before.id})
            self._end(self._note)
            return
        small = self._small
        self._looks = LooksRequest.make(
            [recipe for _, recipe in wanted],
            small.picture,
            small.region,
            small.selection is not None,
            self._reduced,
        )
        self._say(LOOKING)
        self._link.open(self)

    def _take_answer(self, header: Header, frames: list[bytearray]) -> None:
        assert self.walk is not None
        op = header["op"]
        if op == "look":
            look = LookAnswer.of(header, frames, len(self._asked))
            self.walk.take(self._asked[look.index], look)
            self._changed()
            if all(cell.picture or cell.text for cell in self.walk.place.cells):
                self._say(CLOSER)
        elif op == "progress":
            self._say(str(header.get("text", "")) or LOOKING)
        elif op in ("looked", "cancelled", "error"):
            self._looks = None
            self._end(str(header.get("text", "")) if op == "error" else self._note)

    def _end(self, text: str) -> None:
        self._link.leave(self)
        self._say(text)


def _frames(source: LayerSource) -> list[Frame]:
    return [source.pixels, *([] if source.selection is None else [source.selection])]
