"""Explore's questions to the daemon: what the networks see, then looks at a recipe's neighbours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

from ...picture import Region
from ...recipe.presets import KEPT
from ...recipe.recipe import Recipe, Value
from ...wire.frame_order import in_frame_order
from ...wire.looks import LookAnswer, LooksRequest
from ...wire.messages import Frame, Header, MessageError
from ...wire.seeing import Seen, SeeRequest
from ..dream import Sender
from ..inputs import Pixels
from ..seeing import ASKING, COUNT
from .exploration import Exploration
from .things import things_of

LOOKING = "Taking nine looks…"
CLOSER = "Looking closer…"
AGAIN = "Click a look to try again."
NOT_SEEN = "What fires in the picture is not known ({}), so these are presets and variations."
NOT_EXPLORED = KEPT | {"wrap"}  # parameters that Explore leaves as they are


class LookSource(NamedTuple):
    """Reduced pixels to look at.

    Attributes:
        picture: with surroundings of the region.
        region: the part that is dreamed in, in the picture's coordinates.
        selection: one byte a pixel of the region, 255 = fully dreamed; None for all of it.
    """

    picture: Pixels
    region: Region
    selection: Frame | None = None

    @property
    def frames(self) -> list[Frame]:
        """What follows a request."""
        return in_frame_order(self.picture.frame, self.selection)


class Explorer:
    """One walk, from the pixels on. Nothing here waits.

    The host calls `send` when there is a connection and something `unsent`, and `receive` with each
    message.

    Args:
        seen: the source as for a quick look: what is asked about.
        small: the same, small enough for nine looks.
        reduced: how many times smaller `small` is than the picture.
        recipe: the first middle.
        changed: called when cells, or the way back and forth, have changed.
        say: gets the status; "" when all looks are complete.

    Attributes:
        walk: the nine cells; None until it is known what the networks see.
        unsent: whether there is a question that was not sent yet.
    """

    def __init__(
        self,
        seen: LookSource,
        small: LookSource,
        reduced: float,
        recipe: Recipe,
        changed: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.walk: Exploration | None = None
        self.unsent = True
        self.say = say
        self._seen = seen
        self._small = small
        self._reduced = reduced
        self._recipe = recipe
        self._changed = changed
        self._note = ""  # what stays to be told when all looks are there
        self._see: SeeRequest | None = SeeRequest(
            seen.picture.layout, seen.region, seen.selection is not None, count=COUNT
        )
        self._looks: LooksRequest | None = None
        self._asked: list[int] = []  # the cell of each recipe in `_looks`
        self._sender: Sender | None = None  # of the question that is under way

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a look, px."""
        return self._small.region.width, self._small.region.height

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come, unless the walk goes on."""
        return self._see is None and self._looks is None

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

    def send(self, sender: Sender) -> None:
        """Ask what was not asked yet. Raises ConnectionError as the sender does."""
        if not self.unsent:
            return
        self.unsent, self._sender = False, sender
        if self._see is not None:
            self.say(ASKING)
            sender.send(self._see.header(), *self._seen.frames)
        elif self._looks is not None:
            self.say(LOOKING)
            sender.send(self._looks.header(), *self._small.frames)

    def receive(self, header: Header, frames: list[bytearray]) -> bool:
        """Take a message of the daemon; False if it belongs to something else."""
        request_id = header.get("id")
        try:
            if self._see is not None and request_id == self._see.id:
                self._take_seen(header, frames)
            elif self._looks is not None and request_id == self._looks.id:
                self._take_answer(header, frames)
            else:
                return False
        except MessageError as error:
            self.cancel()
            self.say(str(error))
        return True

    def cancel(self) -> None:
        """Nobody wants the looks any more: the daemon is told at once."""
        waits, sender = self._see or self._looks, self._sender
        self._forget()
        if waits is not None:
            _tell(sender, waits.id)

    def fail(self, text: str) -> None:
        """Give up with a sentence, e.g. after a lost connection; the daemon is not told.

        The next choice asks anew, also if it is not known yet what the networks see.
        """
        self._forget()
        if self.walk is None:
            self._begin_walk(None, text)
            self._changed()
        self.say(f"{text} {AGAIN}")

    def _forget(self) -> None:
        self._see = self._looks = self._sender = None
        self.unsent = False

    def _take_seen(self, header: Header, frames: list[bytearray]) -> None:
        self._see = None
        seen = Seen.of(header, frames) if header["op"] == "seen" else None
        self._begin_walk(seen, str(header.get("text", "it was cancelled")))
        self._look()

    def _begin_walk(self, seen: Seen | None, why_not: str) -> None:
        """Make the nine cells; without what the networks see a note tells why."""
        if seen is None:
            self._note = NOT_SEEN.format(why_not.rstrip("."))
        self.walk = Exploration(self._recipe, things_of(seen), self._reduced)

    def _look(self) -> None:
        """Ask for the looks that are missing here; the daemon drops those asked for before."""
        assert self.walk is not None
        before, sender = self._looks, self._sender
        self._forget()
        wanted = self.walk.wanted()
        self._asked = [index for index, _ in wanted]
        if wanted:
            self._looks = LooksRequest.make(
                [recipe for _, recipe in wanted],
                self._small.picture.layout,
                self._small.region,
                self._small.selection is not None,
                self._reduced,
            )
            self.unsent = True
        elif before is not None:
            _tell(sender, before.id)
        self._changed()
        self.say(LOOKING if wanted else self._note)

    def _take_answer(self, header: Header, frames: list[bytearray]) -> None:
        assert self.walk is not None
        op = header["op"]
        if op == "look":
            look = LookAnswer.of(header, frames, len(self._asked))
            self.walk.take(self._asked[look.index], look)
            self._changed()
            if all(cell.picture or cell.text for cell in self.walk.place.cells):
                self.say(CLOSER)
        elif op == "progress":
            self.say(str(header.get("text", "")) or LOOKING)
        elif op in ("looked", "cancelled", "error"):
            self._forget()
            self.say(str(header.get("text", "")) if op == "error" else self._note)


def _tell(sender: Sender | None, request_id: str) -> None:
    """Cancel a request, if it was sent."""
    if sender is not None:
        with contextlib.suppress(ConnectionError):  # then the daemon stops by itself
            sender.send({"op": "cancel", "id": request_id})
