"""Shows a dream while it is dreamed: on the canvas, or in the docker. No Qt here.

On the canvas the new layer grows: it is added with the first octave's pixels, which is the only
undo step, and later pixels are written into it. If the dream is cancelled or fails, the layer is
removed, since an unfinished dream is of no use: the picture is as it was, and the history has two
more steps, "Add Layer" and "Remove Layer". (Undoing for the user would be worse: they may have
painted since.) Each write makes Krita compose the whole picture, so for a large picture the docker
shows the dream instead.
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
from ..document.replaced import replaced_layers
from .jobs import DreamJob, NewLayer

CANVAS_MAX = 4 << 20  # pixels; Krita composes a picture of this size without a noticeable pause
REST = 4  # pause after a write, as a multiple of the time that it took
PREVIEW = 384  # pixels; the longer side of the preview in the docker
REMOVED = "The layer was removed during its dream, so the dream was stopped."
Show = Callable[[Picture, Frame], None]


def preview_options(
    source: layer_io.LayerSource, show: Show, hide: Callable[[], None]
) -> dict[str, Any]:
    """The options of a `DreamJob` that shows its dream.

    `show` and `hide` are for the preview in the docker.
    """
    if source.canvas.width * source.canvas.height <= CANVAS_MAX:
        return {"goal": GrowingLayer(source), "live": True}
    return {"goal": PreviewedLayer(source, show, hide), "preview": PREVIEW}


def target_below_growing(jobs: Iterable[Any]) -> layer_io.DreamTarget | None:
    """The source of the active layer if that layer is still growing; else None.

    Krita makes each new layer the active one, but an unfinished dream is not to be dreamed on.
    """
    active = Krita.instance().activeDocument()
    node = active.activeNode() if active is not None else None
    for job in jobs:
        grown = job.grown_id if isinstance(job, DreamJob) else None
        if node is not None and grown is not None and grown == node.uniqueId():
            below = active.nodeByUniqueID(job.source.node_id)
            return layer_io.DreamTarget(below, active.selection()) if below is not None else None
    return None


class GrowingLayer(NewLayer):
    """A new layer that is added before the dream is done.

    It is locked until then, since strokes on it would be lost. Krita processes events while it adds
    a layer or writes to one, so afterwards the layer may be undone or the dream cancelled.
    """

    def __init__(self, source: layer_io.LayerSource) -> None:
        super().__init__(source)
        self._layer: Any = None  # kept while it is undone: redo may restore it
        self._next = 0.0  # when it may be written to again
        self._dropped = False

    def explain_loss(self) -> str | None:
        return super().explain_loss() or (REMOVED if self._removed() else None)

    def show_progress(self, dream: Dream) -> None:
        pixels, dream.live = dream.live, None
        began = time.monotonic()
        if pixels is None or began < self._next:
            return
        if self.grown_id is None:
            self._add(pixels)
        else:
            layer_io.update_layer(self.grown_id, pixels, self.source)
        now = time.monotonic()
        self._next = now + REST * (now - began)

    def finish(self, dream: Dream, recipe: Recipe) -> Any:
        if self.grown_id is None:
            return super().finish(dream, recipe)
        reason = self.explain_loss()
        if reason:
            raise layer_io.DocumentError(reason)
        layer = self.source.document.nodeByUniqueID(self.grown_id)
        layer.setName(layer_name(self.source.name, recipe))
        layer.setLocked(False)
        layer_io.update_layer(self.grown_id, dream.pixels or bytearray(), self.source)
        return self.grown_id

    def discard(self) -> None:
        self._dropped = True
        if self.grown_id is None or self.source.document not in Krita.instance().documents():
            return
        if self._layer is not None:
            self._layer.setLocked(False)
        if not self._removed():
            self.source.document.nodeByUniqueID(self.grown_id).remove()
            replaced_layers.follow(cancelled=True)

    def _add(self, pixels: Frame) -> None:
        self.grown_id = self._add_layer(f"Dream of {self.source.name}…", pixels)
        self._layer = self.source.document.nodeByUniqueID(self.grown_id)
        if self._dropped:
            self.discard()
        elif self._layer is not None:
            self._layer.setLocked(True)

    def _removed(self) -> bool:
        """Whether the layer was deleted or undone. The document must be open."""
        if self.grown_id is None:
            return False
        return self.source.document.nodeByUniqueID(self.grown_id) is None


class PreviewedLayer(NewLayer):
    """A new layer that is added when the dream is done; until then the docker shows a preview."""

    def __init__(self, source: layer_io.LayerSource, show: Show, hide: Callable[[], None]) -> None:
        super().__init__(source)
        self._show, self._hide = show, hide

    def show_progress(self, dream: Dream) -> None:
        seen, dream.preview = dream.preview, None
        if seen is not None:
            self._show(*seen)

    def finish(self, dream: Dream, recipe: Recipe) -> Any:
        self._hide()
        return super().finish(dream, recipe)

    def discard(self) -> None:
        self._hide()
