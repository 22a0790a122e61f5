"""Blends a finished dream again with other live parameters, in its own layer. No Qt here.

Nothing is dreamed for that: the daemon keeps the last dreams and blends them as a slider moves.
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
from .jobs import FinishedDream

CLOSED = "The picture of this dream was closed."
GONE = "This dream's layer is gone: undo what removed it, or dream again."
RESIZED = "The picture's size was changed, so this dream can no longer be changed: dream again."
PAINTED = (
    "This dream's layer was painted on or otherwise changed, and a change here would overwrite"
    " that: undo it, or dream again."
)
LOST = "The daemon no longer keeps this dream, so it can't be changed: dream again."


class Reblend:
    """The live parameters of one dream. It is a listener of the link.

    Attributes:
        dreamed: the dream, with the recipe that its layer shows now.
        over: why it can no longer be changed, or "".

    `notify` is called after each change, and with a sentence when a change was refused.
    """

    def __init__(
        self, link: DaemonLink, dreamed: FinishedDream, notify: Callable[[Reblend, str], None]
    ) -> None:
        self.dreamed = dreamed
        self.over = ""
        self._notify = notify
        self._link = link
        self._blend: Blend | None = None
        self._next: Recipe | None = None  # requested when the current blend is done
        self._checksum = self._read_checksum()  # None: undone just after it was written
        link.open(self)

    def affects(self, name: str) -> bool:
        """Whether a live parameter makes a difference to this dream."""
        source = self.dreamed.source
        if name == "feather":
            return source.selection is not None or not all(source.edges)
        return name != "dither" or source.picture.depth == "U8"

    def request(self, name: str, value: Value) -> None:
        """Change a live parameter, now or when the previous change is done."""
        if self.over:
            return
        recipe = self._next or (self._blend.request.recipe if self._blend else None)
        values = (recipe or self.dreamed.recipe).to_dict()
        self._next = Recipe.of({**values, name: value})
        if self._blend is None:
            self._send_next()

    def leave(self) -> None:
        """Stop listening to the link."""
        self._link.leave(self)

    def waiting(self, sentence: str) -> None:
        """Not called: the dream came over an open connection."""

    def connected(self) -> None:
        """Nothing to do: the dream came over this connection."""

    def received(self, header: Header, frames: list[bytearray]) -> None:
        blend = self._blend
        if blend is None or not blend.receive(header, frames) or not blend.over:
            return
        if blend.state is State.FAILED:
            self._end(blend.text)
        elif blend.state is State.DONE and self._write(blend):
            self._notify(self, "")
        self._blend = None  # only now: Krita processes events while a layer is written to
        if self._next is not None:
            self._send_next()

    def lost(self, reason: str) -> None:
        self._end(LOST)

    def fail(self, reason: str) -> None:
        self._end(reason)

    def _send_next(self) -> None:
        """Request the next blend, if the layer is as it was last written."""
        reason = self._refusal()
        recipe, self._next = self._next, None
        if reason:
            self._notify(self, reason)
        elif recipe is not None and self._blend is None and not self.over:
            try:
                self._blend = self.dreamed.dream.blend(recipe)
            except LinkError:
                self._end(LOST)

    def _write(self, blend: Blend) -> bool:
        """Write the pixels into the layer; False if that was refused."""
        dreamed = self.dreamed
        reason = self._refusal()
        if reason:
            self._notify(self, reason)
            return False
        layer_io.update_layer(dreamed.node_id, blend.pixels or bytearray(), dreamed.source)
        self._checksum = self._read_checksum()
        self.dreamed = replace(dreamed, recipe=blend.request.recipe)
        if self._next is None:
            dream_store.store(dreamed.document, dreamed.node_id, self.dreamed.recipe)
        dreamed.document.setModified(True)  # Krita does not notice changes without an undo step
        return True

    def _refusal(self) -> str:
        """Why the layer can't be written to, or "". Call it before each access to the layer."""
        dreamed = self.dreamed
        if dreamed.document not in Krita.instance().documents():
            self._end(CLOSED)
            return CLOSED
        canvas = dreamed.source.canvas
        if (dreamed.document.width(), dreamed.document.height()) != canvas[2:]:
            return RESIZED
        checksum = self._read_checksum()
        if checksum is None:
            return GONE
        return "" if self._checksum in (None, checksum) else PAINTED

    def _read_checksum(self) -> int | None:
        """A checksum of the layer's pixels; None if the layer is gone."""
        dreamed = self.dreamed
        layer = dreamed.document.nodeByUniqueID(dreamed.node_id)
        if layer is None:
            return None
        dreamed.document.waitForDone()  # the last brush stroke
        place = dreamed.source.place.moved(layer.position().x(), layer.position().y())
        return zlib.crc32(memoryview(layer.pixelData(*place)))

    def _end(self, reason: str) -> None:
        if not self.over:
            self.over = reason
            self._next = self._blend = None
            self._link.leave(self)
            self._notify(self, reason)
