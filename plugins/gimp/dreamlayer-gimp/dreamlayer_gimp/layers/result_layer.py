"""Making the layer that shows a dream, and inserting it into the image."""

from __future__ import annotations

from typing import Any

from gi.repository import Babl, Gimp

from dreamlink.picture import Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import layer_name
from dreamlink.wire.messages import Frame

from ..call.options import MASK, CallOptions
from . import buffers, dream_store, lossless, stacking
from .look import active_mask
from .source import DrawableSource


def make(source: DrawableSource, recipe: Recipe, pixels: Frame, options: CallOptions) -> Any:
    """A finished layer that is not in the image yet, so making it adds no undo step."""
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
    lossless.write(layer, box, source.form, pixels)
    if source.placement is not None and source.placement.region is not None:
        source.placement.apply_shape(layer)
    elif (mask := active_mask(source.drawable)) is not None:
        _copy_mask(mask, source.region, layer)
    elif source.mask is not None and options.selection_as == MASK:
        _move_alpha_into_mask(layer, box)
    dream_store.store(layer, recipe, source.drawable, options)
    return layer


def _move_alpha_into_mask(layer: Any, box: Region) -> None:
    """The daemon returned the selection as alpha; as a mask it can still be painted on.

    GIMP's own ALPHA_TRANSFER complains about layers that are in no image yet.
    """
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.ALPHA))
    lossless.make_opaque(layer, box)


def _copy_mask(mask: Any, area: Region, layer: Any) -> None:
    """Copy the source's mask to the dream; a selection stays in the dream's alpha."""
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    form = Babl.get_name(mask.get_format())
    pixels = buffers.read(mask.get_buffer(), area, form)
    buffers.write(
        layer.get_mask().get_buffer(), Region(0, 0, area.width, area.height), form, pixels
    )


def insert(image: Any, made: list[tuple[DrawableSource, Any]]) -> list[str]:
    """Insert each layer right above its source or the earlier dream, and select the layers.

    This is one undo step. Layers that are in the image already stay where they are. Returns notes
    for the user.
    """
    new = [(source, layer) for source, layer in made if not _is_in(image, layer)]
    notes: dict[str, None] = {}
    several = len(new) > 1 or any(stacking.hides_below(source) for source, _ in new)
    if several:
        image.undo_group_start()
    try:
        for source, layer in new:
            stacking.take_over(source, layer)
            position = image.get_item_position(source.below)
            if not image.insert_layer(layer, source.below.get_parent(), position):
                raise RuntimeError(Gimp.get_pdb().get_last_error())
            notes.update(dict.fromkeys(stacking.settle(source)))
    finally:
        if several:
            image.undo_group_end()
    image.set_selected_layers([layer for _, layer in made])
    return list(notes)


def _is_in(image: Any, layer: Any) -> bool:
    """Whether a layer was inserted already: only then can its tattoo be looked up."""
    return bool(image.get_layer_by_tattoo(layer.get_tattoo()) == layer)
