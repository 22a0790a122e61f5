"""What a dreamed layer was dreamed on, read once more: the same layer, in the same place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from krita import Krita, Selection

from dreamlink.recipe.recipe import Recipe

from ..document import dream_store, layer_io
from ..document.errors import DocumentError
from ..document.layer_io import DreamTarget
from ..document.source import Source


def read_again(
    kept: dream_store.Kept,
    recipe: Recipe,
    above: Any,
    guide: Any = None,
    strength: Any = None,
    whole: bool = False,
) -> Source:
    """The pixels that a layer of the active document was dreamed on, as they are now.

    Args:
        kept: how it was dreamed.
        recipe: how it is to be dreamed now.
        above: the unique id of the layer that the new dream is to lie above.
        guide, strength: other ones than it had.
        whole: take the whole canvas, wherever the layer has pixels now.

    Raises:
        DocumentError: it is gone, or can't dream.
    """
    active = Krita.instance().activeDocument()
    node = find_source(active, kept)
    if strength is None and kept.strength_id:
        strength = _given(active, kept.strength_id, "strength map")
    if guide is None and kept.guide_id:
        guide = _given(active, kept.guide_id, "guide")
    source = layer_io.read(
        recipe, guide, strength, DreamTarget(node, _selected(active, kept), whole)
    )
    return replace(source, above=above)


def find_source(active: Any, kept: dream_store.Kept) -> Any:
    """The layer that was dreamed on; raises DocumentError if it is gone."""
    node = dream_store.node_of(active, kept.source_id)
    if node is None:
        raise DocumentError(
            f"The layer “{kept.name}” that this was dreamed on is gone: select another layer,"
            " then dream."
        )
    return node


def _given(active: Any, text: str, what: str) -> Any:
    if text == layer_io.SELECTION:
        return text
    node = dream_store.node_of(active, text)
    if node is None:
        raise DocumentError(
            f"The layer that was this dream's {what} is gone: choose another one under More."
        )
    return node.uniqueId()


def _selected(active: Any, kept: dream_store.Kept) -> Any:
    """The selection that it was dreamed in, as Krita wants it."""
    if kept.strength_id == layer_io.SELECTION:
        return active.selection()
    if kept.too_large:
        if active.selection() is None:
            raise DocumentError(
                "The selection that this was dreamed in was too large to be kept: select it again."
            )
        return active.selection()
    if kept.selected is None:
        return None
    place, values = kept.selected
    selection = Selection()
    selection.setPixelData(values, *place)
    return selection
