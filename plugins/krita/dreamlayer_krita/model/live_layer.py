"""A dream that is seen while it is dreamed: on the canvas, or in the docker. No Qt here.

On the canvas the new layer itself grows: it is added with the first octave's pixels, which is the
one undo step, and the rest is written into it. A cancelled or failed dream takes its layer away
again, as nobody wants the half of a dream: the picture is as it was, and the history has two more
steps, "Add Layer" and "Remove Layer". (Undoing for the user would be worse: they may have painted
since.) Each write makes Krita compose the whole picture, so a large one's grows in the docker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from krita import Krita

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, layer_name
from dreamlink.wire.messages import Frame

from ..document import layer_io
from .jobs import Job, NewLayer

CANVAS_MAX = 4 << 20  # pixels of a picture that Krita composes without a stutter
REST = 4  # times as long as a write took, Krita is left alone after it
PREVIEW = 384  # pixels; the longer side of what is shown in the docker
REMOVED = "The layer was removed while it was dreamed, so its dream was stopped."
Show = Callable[[Picture, Frame], None]


def preview_options(
    source: layer_io.Source, show: Show, hide: Callable[[], None]
) -> dict[str, Any]:
    """The options of a `Job` that lets its dream be seen; `show` and `hide` are the docker's."""
    if source.canvas.width * source.canvas.height <= CANVAS_MAX:
        return {"goal": GrowingLayer(source), "live": True}
    return {"goal": PreviewedLayer(source, show, hide), "preview": PREVIEW}


def target_below_growing(jobs: Iterable[Any]) -> layer_io.DreamTarget | None:
    """What to dream on while a layer that still grows is the active one: what it is dreamed from.

    None: what is active, as ever. Krita makes each new layer the active one.
    """
    active = Krita.instance().activeDocument()
    node = active.activeNode() if active is not None else None
    for job in jobs:
        grown = job.grown if isinstance(job, Job) else None
        if node is not None and grown is not None and grown == node.uniqueId():
            below = active.nodeByUniqueID(job.source.node_id)
            return layer_io.DreamTarget(below, active.selection()) if below is not None else None
    return None


class GrowingLayer(NewLayer):
    """A new layer that has pixels before the dream is done.

    Meanwhile it is locked, as strokes on it would be lost. Krita lets events happen while it adds a
    layer or writes to one, so afterwards it may be undone, or the dream dropped.
    """

    def __init__(self, source: layer_io.Source) -> None:
        super().__init__(source)
        self._layer: Any = None  # kept while it is undone: it may come back
        self._next = 0.0  # when it may be written to again
        self._dropped = False

    def gone(self) -> str | None:
        return super().gone() or (REMOVED if self._removed() else None)

    def so_far(self, dream: Dream) -> None:
        pixels, dream.live = dream.live, None
        began = time.monotonic()
        if pixels is None or began < self._next:
            return
        if self.grown is None:
            self._add(pixels)
        else:
            layer_io.update_layer(self.grown, pixels, self.source)
        now = time.monotonic()
        self._next = now + REST * (now - began)

    def done(self, dream: Dream, recipe: Recipe) -> Any:
        if self.grown is None:
            return super().done(dream, recipe)
        reason = self.gone()
        if reason:
            raise layer_io.DocumentError(reason)
        layer = self.source.document.nodeByUniqueID(self.grown)
        layer.setName(layer_name(self.source.name, recipe))
        layer.setLocked(False)
        layer_io.update_layer(self.grown, dream.pixels or bytearray(), self.source)
        return self.grown

    def dropped(self) -> None:
        self._dropped = True
        if self.grown is None or self.source.document not in Krita.instance().documents():
            return
        if self._layer is not None:
            self._layer.setLocked(False)
        if not self._removed():
            self.source.document.nodeByUniqueID(self.grown).remove()

    def _add(self, pixels: Frame) -> None:
        self.grown = layer_io.add_layer(self.source, f"Dream of {self.source.name}…", pixels)
        self._layer = self.source.document.nodeByUniqueID(self.grown)
        if self._dropped:
            self.dropped()
        elif self._layer is not None:
            self._layer.setLocked(True)

    def _removed(self) -> bool:
        """Whether the layer was deleted, or undone; to be asked while the document is open."""
        if self.grown is None:
            return False
        return self.source.document.nodeByUniqueID(self.grown) is None


class PreviewedLayer(NewLayer):
    """A new layer as of any other dream; the docker shows how it grows."""

    def __init__(self, source: layer_io.Source, show: Show, hide: Callable[[], None]) -> None:
        super().__init__(source)
        self._show, self._hide = show, hide

    def so_far(self, dream: Dream) -> None:
        seen, dream.preview = dream.preview, None
        if seen is not None:
            self._show(*seen)

    def done(self, dream: Dream, recipe: Recipe) -> Any:
        self._hide()
        return super().done(dream, recipe)

    def dropped(self) -> None:
        self._hide()
