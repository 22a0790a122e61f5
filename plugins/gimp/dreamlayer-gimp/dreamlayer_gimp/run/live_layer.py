"""The unfinished dream on the canvas: a layer that is there early and gets better."""

from __future__ import annotations

from typing import Any

from gi.repository import Gegl, Gimp

from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream
from dreamlink.wire.messages import Frame

from ..call.errors import Refused
from ..call.options import Options
from ..layers import result_layer
from ..layers.source import Source

PIXELS_MAX = 4_000_000  # of larger dreams the daemon sends no unfinished ones
REMOVED = "The dream's layer was removed while it dreamed, so the dream was stopped."


class Canvas:
    """Where the dream is shown before it is finished: here nowhere.

    Attributes:
        fields: fields of the request for a dream.
    """

    fields: dict[str, Any]

    def __init__(self) -> None:
        self.fields = {}

    def watch(self, dream: Dream) -> None:
        """Show how far a dream is."""

    def finish(self, layer: Any) -> Any:
        """The layer of the finished dream, which may be in the image already."""
        return layer

    def remove(self) -> None:
        """Leave the image as it was: the dream has come to nothing."""


class Live(Canvas):
    """A layer in the image, finished but for its pixels; so all of it is one undo step."""

    def __init__(self, source: Source, recipe: Recipe, options: Options) -> None:
        self.fields = {"live": True}
        self._source = source
        self._recipe = recipe
        self._options = options
        self._layer: Any = None
        self._shown: Frame | None = None

    def watch(self, dream: Dream) -> None:
        """Show the newest pixels. Raises Refused if the user has removed the layer."""
        if dream.live is not None and dream.live is not self._shown:
            self._shown = dream.live
            made = result_layer.make(self._source, self._recipe, dream.live, self._options)
            if self._layer is None:
                self._insert(made)
            else:
                self._take_over(made)
        if self._layer is not None and not self._layer.is_valid():
            raise Refused(REMOVED)

    def finish(self, layer: Any) -> Any:
        """The layer in the image, as `layer` is. Raises Refused as `watch` does."""
        if self._layer is None:
            return layer
        self._take_over(layer)
        return self._layer

    def remove(self) -> None:
        """Take the layer away again; that it came and went stays in the undo history."""
        image = self._source.image
        if self._layer is None or not (image.is_valid() and self._layer.is_valid()):
            return
        image.remove_layer(self._layer)
        image.set_selected_layers([item for item in self._selected if item.is_valid()])
        if self._clean:
            image.clean_all()
        Gimp.displays_flush()

    def _insert(self, layer: Any) -> None:
        image = self._source.image
        self._clean, self._selected = not image.is_dirty(), image.get_selected_layers()
        self._layer = layer
        result_layer.insert(image, [(self._source, layer)])
        Gimp.displays_flush()

    def _take_over(self, fresh: Any) -> None:
        """Give the layer in the image the pixels of another one, and its mask's."""
        try:
            if not self._layer.is_valid():
                raise Refused(REMOVED)
            pairs = [(fresh, self._layer)]
            if fresh.get_mask() is not None and self._layer.get_mask() is not None:
                pairs.append((fresh.get_mask(), self._layer.get_mask()))
            for one, other in pairs:
                _copy(one, other)
        finally:
            fresh.delete()
        Gimp.displays_flush()


def canvas_for(source: Source, recipe: Recipe, options: Options, alone: bool) -> Canvas:
    """Where the dream is shown while it grows; one of several layers is not."""
    small = source.region.width * source.region.height <= PIXELS_MAX
    if options.canvas_preview and alone and small:
        return Live(source, recipe, options)
    return Canvas()


def _copy(one: Any, other: Any) -> None:
    width, height = one.get_width(), one.get_height()
    area, buffer = Gegl.Rectangle.new(0, 0, width, height), other.get_buffer()
    one.get_buffer().copy(area, Gegl.AbyssPolicy.NONE, buffer, area)
    buffer.flush()
    other.update(0, 0, width, height)
