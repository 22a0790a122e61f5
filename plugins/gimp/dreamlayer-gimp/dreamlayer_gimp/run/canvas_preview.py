"""The unfinished dream on the canvas: a layer that is inserted early and updated."""

from __future__ import annotations

from typing import Any

from gi.repository import Gegl, Gimp

from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream
from dreamlink.wire.messages import Frame

from ..call.errors import CallRefused
from ..call.options import CallOptions
from ..layers import result_layer
from ..layers.source import DrawableSource

PIXELS_MAX = 4_000_000  # the daemon sends no unfinished pixels of larger dreams
REMOVED = "The dream's layer was removed during the dream, so the dream was stopped."


class CanvasPreview:
    """A preview on the canvas: this one shows nothing.

    Attributes:
        fields: additional fields of the request for the dream.
        notes: on the layer that was inserted, for the user.
    """

    fields: dict[str, Any]
    notes: list[str]

    def __init__(self) -> None:
        self.fields, self.notes = {}, []

    def watch(self, dream: Dream) -> None:
        """Show the newest pixels of a dream."""

    def finish(self, layer: Any) -> Any:
        """The layer to keep for the finished dream `layer`; it may be in the image already."""
        return layer

    def remove(self) -> None:
        """Restore the image after a failed dream."""


class CanvasLayer(CanvasPreview):
    """A layer in the image, complete except for its pixels: so the dream is one undo step."""

    def __init__(self, source: DrawableSource, recipe: Recipe, options: CallOptions) -> None:
        self.fields, self.notes = {"live": True}, []
        self._source = source
        self._recipe = recipe
        self._options = options
        self._layer: Any = None
        self._shown: Frame | None = None

    def watch(self, dream: Dream) -> None:
        """Show the newest pixels. Raises CallRefused if the user has removed the layer."""
        if dream.live is not None and dream.live is not self._shown:
            self._shown = dream.live
            made = result_layer.make(self._source, self._recipe, dream.live, self._options)
            if self._layer is None:
                self._insert(made)
            else:
                self._replace_pixels(made)
        if self._layer is not None and not self._layer.is_valid():
            raise CallRefused(REMOVED)

    def finish(self, layer: Any) -> Any:
        """The layer in the image, with the pixels of `layer`; raises CallRefused as `watch`."""
        if self._layer is None:
            return layer
        self._replace_pixels(layer)
        return self._layer

    def remove(self) -> None:
        """Remove the layer and show its source; both steps remain in the undo history."""
        image, below = self._source.image, self._source.below
        if self._layer is None or not image.is_valid():
            return
        inserted = self._layer.is_valid()
        hidden = self._was_visible and below.is_valid() and not below.get_visible()
        if not inserted and not hidden:  # the user has undone it
            return
        image.undo_group_start()
        if inserted:
            image.remove_layer(self._layer)
        if hidden:
            below.set_visible(True)
        image.undo_group_end()
        image.set_selected_layers([item for item in self._was_selected if item.is_valid()])
        if self._was_clean:
            image.clean_all()
        Gimp.displays_flush()

    def _insert(self, layer: Any) -> None:
        image = self._source.image
        self._was_clean, self._was_selected = not image.is_dirty(), image.get_selected_layers()
        self._was_visible = self._source.below.get_visible()
        self._layer = layer
        self.notes = result_layer.insert(image, [(self._source, layer)])
        Gimp.displays_flush()

    def _replace_pixels(self, fresh: Any) -> None:
        """Replace the pixels of the layer in the image, and of its mask, by those of another."""
        try:
            if not self._layer.is_valid():
                raise CallRefused(REMOVED)
            pairs = [(fresh, self._layer)]
            if fresh.get_mask() is not None and self._layer.get_mask() is not None:
                pairs.append((fresh.get_mask(), self._layer.get_mask()))
            for origin, target in pairs:
                _copy_pixels(origin, target)
        finally:
            fresh.delete()
        Gimp.displays_flush()


def canvas_preview_for(
    source: DrawableSource, recipe: Recipe, options: CallOptions, alone: bool
) -> CanvasPreview:
    """The preview for a dream; none for a large one, or one of several."""
    small = source.region.width * source.region.height <= PIXELS_MAX
    if options.canvas_preview and alone and small:
        return CanvasLayer(source, recipe, options)
    return CanvasPreview()


def _copy_pixels(origin: Any, target: Any) -> None:
    width, height = origin.get_width(), origin.get_height()
    area, buffer = Gegl.Rectangle.new(0, 0, width, height), target.get_buffer()
    origin.get_buffer().copy(area, Gegl.AbyssPolicy.NONE, buffer, area)
    buffer.flush()
    target.update(0, 0, width, height)
