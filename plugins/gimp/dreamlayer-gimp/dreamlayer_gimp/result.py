"""The layer that shows a dream."""

from __future__ import annotations

from typing import Any

from gi.repository import Gimp

from dreamlink.dream import layer_name
from dreamlink.messages import Frame
from dreamlink.picture import Region
from dreamlink.recipe import Recipe

from . import alpha, buffers, memory
from .options import MASK, Options
from .source import Source


def make(source: Source, recipe: Recipe, pixels: Frame, options: Options) -> Any:
    """A finished layer that is not in the image yet, so nothing of this is an undo step."""
    width, height = source.region.width, source.region.height
    box = Region(0, 0, width, height)
    layer = Gimp.Layer.new(
        source.image,
        layer_name(source.drawable.get_name(), recipe),
        width,
        height,
        Gimp.ImageType.GRAYA_IMAGE if source.layout.order == "GA" else Gimp.ImageType.RGBA_IMAGE,
        100.0,
        Gimp.LayerMode.NORMAL,
    )
    layer.set_offsets(*source.corner)
    buffers.write(layer.get_buffer(), box, source.form, pixels)
    if source.place is not None and source.place.region is not None:
        source.place.dress(layer, source.form)
    elif source.mask is not None and options.selection_as == MASK:
        _move_alpha_into_mask(layer, box, source.form)
    memory.keep(layer, recipe, source.drawable, options)
    return layer


def _move_alpha_into_mask(layer: Any, box: Region, form: str) -> None:
    """What is selected came back as alpha; as a mask it can still be painted on.

    GIMP's own ALPHA_TRANSFER complains about layers that are in no image yet.
    """
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.ALPHA))
    alpha.remove(layer.get_buffer(), box, form)


def insert(image: Any, made: list[tuple[Source, Any]]) -> None:
    """Put each layer right above its source, or the dream before, and select them.

    That is one undo step.
    """
    several = len(made) > 1
    if several:
        image.undo_group_start()
    try:
        for source, layer in made:
            below = source.drawable
            if source.place is not None and source.place.layer.is_valid():
                below = source.place.layer
            position = image.get_item_position(below)
            if not image.insert_layer(layer, below.get_parent(), position):
                raise RuntimeError(Gimp.get_pdb().get_last_error())
    finally:
        if several:
            image.undo_group_end()
    image.set_selected_layers([layer for _, layer in made])
