"""Reads again what a dreamed layer was dreamed on: the same layer, in the same place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from krita import Krita, Selection

from dreamlink.recipe.recipe import Recipe

from ..document import dream_store, layer_io
from ..document.errors import DocumentError
from ..document.layer_io import DreamTarget
from ..document.source import LayerSource


def read_again(
    stored: dream_store.StoredDream,
    recipe: Recipe,
    above: Any,
    guide: Any = None,
    strength: Any = None,
    whole: bool = False,
    dream_map: Any = None,
) -> LayerSource:
    """The current pixels of the layer that a layer of the active document was dreamed on.

    Args:
        stored: the stored settings of the dreamed layer.
        recipe: the new recipe.
        above: the unique id of the layer above which the new one is to be added.
        guide, strength, dream_map: replace those that it had.
        whole: read the whole canvas, wherever the layer has pixels now.

    Raises:
        DocumentError: the layer is gone, or can't be dreamed on.
    """
    active = Krita.instance().activeDocument()
    node = find_source(active, stored)
    if strength is None and stored.strength_id:
        strength = _stored_id(active, stored.strength_id, "strength map")
    if guide is None and stored.guide_id:
        guide = _stored_id(active, stored.guide_id, "guide")
    if dream_map is None and stored.dream_map_id and recipe.bindings():
        dream_map = _stored_id(active, stored.dream_map_id, "dream map")
    where = DreamTarget(node, _selected(active, stored), whole)
    source = layer_io.read(recipe, guide, strength, where, dream_map)
    return replace(source, above=above)


def find_source(active: Any, stored: dream_store.StoredDream) -> Any:
    """The layer that was dreamed on; raises DocumentError if it is gone."""
    node = dream_store.find_layer(active, stored.source_id)
    if node is None:
        raise DocumentError(
            f"This dream's source, the layer “{stored.name}”, is gone: select another layer, then"
            " dream."
        )
    return node


def _stored_id(active: Any, text: str, what: str) -> Any:
    if text == layer_io.SELECTION:
        return text
    node = dream_store.find_layer(active, text)
    if node is None:
        raise DocumentError(
            f"The layer used as this dream's {what} is gone: choose another one under More."
        )
    return node.uniqueId()


def _selected(active: Any, stored: dream_store.StoredDream) -> Any:
    """The selection that it was dreamed in; None: there was none."""
    if stored.strength_id == layer_io.SELECTION:
        return active.selection()
    if stored.too_large:
        if active.selection() is None:
            raise DocumentError(
                "This dream's selection was too large to be stored: select it again."
            )
        return active.selection()
    if stored.selected is None:
        return None
    place, values = stored.selected
    selection = Selection()
    selection.setPixelData(values, *place)
    return selection
