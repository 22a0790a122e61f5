"""The layer that shows a dream."""

from __future__ import annotations

import json
from typing import Any

from gi.repository import Gimp

from dreamlink.dream import layer_name
from dreamlink.messages import Frame
from dreamlink.picture import Region
from dreamlink.recipe import Recipe

from . import buffers
from .source import Source, mask_form

PARASITE = "dreamlayer-recipe"  # the recipe as JSON, saved with the layer


def make(source: Source, recipe: Recipe, pixels: Frame) -> Any:
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
    if source.mask is not None:
        mask = layer.create_mask(Gimp.AddMaskType.WHITE)
        buffers.write(mask.get_buffer(), box, mask_form(source.layout), source.mask)
        layer.add_mask(mask)
    data = json.dumps(recipe.to_dict()).encode()
    layer.attach_parasite(Gimp.Parasite.new(PARASITE, Gimp.PARASITE_PERSISTENT, data))
    return layer


def insert(image: Any, made: list[tuple[Source, Any]]) -> None:
    """Put each layer right above its source, all in one undo step, and select them."""
    several = len(made) > 1
    if several:
        image.undo_group_start()
    try:
        for source, layer in made:
            drawable = source.drawable
            position = image.get_item_position(drawable)
            if not image.insert_layer(layer, drawable.get_parent(), position):
                raise RuntimeError(Gimp.get_pdb().get_last_error())
    finally:
        if several:
            image.undo_group_end()
    image.set_selected_layers([layer for _, layer in made])
