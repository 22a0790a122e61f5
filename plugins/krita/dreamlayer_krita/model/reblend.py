"""A finished dream that is laid over its picture anew, in the layer that it was put into. No Qt.

No dream is dreamed for it: the daemon keeps the last ones and blends them as a slider moves.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

from krita import Krita

from dreamlink.client.client import LinkError
from dreamlink.recipe.recipe import Recipe, Value
from dreamlink.session.dream import Blend, State
from dreamlink.wire.messages import Header

from ..document import dream_store, layer_io
from .daemon_link import DaemonLink
from .jobs import Dreamed

CLOSED = "The picture of this dream was closed."
GONE = "This dream's layer is gone: undo what removed it, or dream again."
RESIZED = "The picture's size was changed, so this dream can't be changed any more: dream again."
PAINTED = (
    "This dream's layer was painted on or changed otherwise, which a change here would wipe out:"
    " undo that, or dream again."
)
LOST = "The daemon no longer keeps this dream, so it can't be changed: dream again."


class Reblend:
    """The live parameters of one dream. It listens to the link.

    Attributes:
        dreamed: with the recipe that its layer shows now.
        over: why it can't be changed any more, or "".

    `told` is called when something was said or is over, with a sentence or "".
    """

    def __init__(
        self, link: DaemonLink, dreamed: Dreamed, told: Callable[[Reblend, str], None]
    ) -> None:
        self.dreamed = dreamed
        self.over = ""
        self._told = told
        self._link = link
        self._blend: Blend | None = None
        self._wanted: Recipe | None = None  # what is asked for when the one under way has come
        self._mark = self._marked()  # None: it was undone just after it was written
        link.open(self)

    def matters(self, name: str) -> bool:
        """Whether a live parameter changes this dream at all."""
        source = self.dreamed.source
        if name == "feather":
            return source.selection is not None or not all(source.edges)
        return name != "dither" or source.picture.depth == "U8"

    def want(self, name: str, value: Value) -> None:
        """Have a live parameter changed, now or when the change before has come."""
        if self.over:
            return
        recipe = self._wanted or (self._blend.request.recipe if self._blend else None)
        values = (recipe or self.dreamed.recipe).to_dict()
        self._wanted = Recipe.of({**values, name: value})
        if self._blend is None:
            self._ask()

    def leave(self) -> None:
        """Hear no more of the link."""
        self._link.leave(self)

    def waiting(self, sentence: str) -> None:
        """The dream came over a connection that is there."""

    def connected(self) -> None:
        """The dream came over this connection."""

    def received(self, header: Header, frames: list[bytearray]) -> None:
        blend = self._blend
        if blend is None or not blend.receive(header, frames) or not blend.over:
            return
        if blend.state is State.FAILED:
            self._end(blend.text)
        elif blend.state is State.DONE and self._put(blend):
            self._told(self, "")
        self._blend = None  # only now: Krita lets events happen while a layer is written to
        if self._wanted is not None:
            self._ask()

    def lost(self, reason: str) -> None:
        self._end(LOST)

    def fail(self, reason: str) -> None:
        self._end(reason)

    def _ask(self) -> None:
        """Ask for what is wanted, if the layer is as we left it."""
        reason = self._refusal()
        recipe, self._wanted = self._wanted, None
        if reason:
            self._told(self, reason)
        elif recipe is not None and self._blend is None and not self.over:
            try:
                self._blend = self.dreamed.dream.blend(recipe)
            except LinkError:
                self._end(LOST)

    def _put(self, blend: Blend) -> bool:
        """Write the pixels into the layer; whether it was there."""
        dreamed = self.dreamed
        reason = self._refusal()
        if reason:
            self._told(self, reason)
            return False
        layer_io.update_layer(dreamed.node_id, blend.pixels or bytearray(), dreamed.source)
        self._mark = self._marked()
        self.dreamed = replace(dreamed, recipe=blend.request.recipe)
        if self._wanted is None:
            dream_store.keep(dreamed.document, dreamed.node_id, self.dreamed.recipe)
        dreamed.document.setModified(True)  # Krita does not count what makes no undo step
        return True

    def _refusal(self) -> str:
        """Why the layer can't be written to, or "". To be asked before each touch."""
        dreamed = self.dreamed
        if dreamed.document not in Krita.instance().documents():
            self._end(CLOSED)
            return CLOSED
        canvas = dreamed.source.canvas
        if (dreamed.document.width(), dreamed.document.height()) != canvas[2:]:
            return RESIZED
        mark = self._marked()
        if mark is None:
            return GONE
        return "" if self._mark in (None, mark) else PAINTED

    def _marked(self) -> int | None:
        """What tells whether the layer's pixels are still ours; None if it is gone."""
        dreamed = self.dreamed
        layer = dreamed.document.nodeByUniqueID(dreamed.node_id)
        if layer is None:
            return None
        dreamed.document.waitForDone()  # the brush stroke before
        place = dreamed.source.place.moved(layer.position().x(), layer.position().y())
        return zlib.crc32(memoryview(layer.pixelData(*place)))

    def _end(self, reason: str) -> None:
        if not self.over:
            self.over = reason
            self._wanted = self._blend = None
            self._link.leave(self)
            self._told(self, reason)
