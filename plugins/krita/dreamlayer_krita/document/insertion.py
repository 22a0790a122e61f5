"""Puts a dream into the document so that at strength 0 nothing that is seen changes. No Qt here.

The new layer is as visible, opaque and clipped as the one below it, with the same blending mode.
Where both together would count twice, the lower one is hidden if the dream covers all of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dreamlink.session import layer_notes

from .replaced import replaced_layers
from .source import LayerSource

NORMAL = "normal"
OPAQUE = 255  # Krita's opacity of a layer, 0 to 255


class AddedLayer(NamedTuple):
    """A new layer: its unique id, and a sentence for the user about what is hidden, or ""."""

    node_id: Any
    note: str


def layer_below(source: LayerSource) -> Any:
    """The layer directly above which the dream is to be added: the source, or a dream of it.

    That is the dream which is dreamed again, or the one in whose favour the source is hidden.
    """
    find = source.document.nodeByUniqueID
    node = find(source.above) if source.above is not None else None
    own = find(source.node_id)
    if node is None and own is not None and not own.visible():
        node = replaced_layers.dream_in_place_of(source.document, source.node_id)
    return node or own


def insert(layer: Any, source: LayerSource, always: bool = True) -> AddedLayer:
    """Add a layer directly above the source, as one undo step.

    Args:
        layer: the dream. If the layer below isn't Normal, one created in a hidden document: its
            blending mode can't be changed in the user's document without an undo step.
        source: what was dreamed on.
        always: whether the layer has pixels in all frames of the animation.
    """
    below = layer_below(source)
    own = source.document.nodeByUniqueID(source.node_id)
    # A new dream in place of one that was put aside is seen.
    visible = below.visible() or (own is not None and own.visible())
    _take_over(layer, below, visible)
    note, hide = _plan(below, source, visible, always)
    if hide:
        below.setVisible(False)  # no undo step, and adding the layer composes the picture
    # Changes to a layer that is not in the document yet are not undoable: this is the only step.
    below.parentNode().addChildNode(layer, below)
    if hide:
        for node_id in (below.uniqueId(), source.node_id):
            replaced_layers.add(source.document, node_id, layer.uniqueId())
    return AddedLayer(layer.uniqueId(), note)


def _take_over(layer: Any, below: Any, visible: bool) -> None:
    if layer.blendingMode() != below.blendingMode():
        layer.setBlendingMode(below.blendingMode())
    layer.setOpacity(below.opacity())
    layer.setVisible(visible)
    for own, other in zip(layer.channels(), below.channels(), strict=False):
        if not other.visible():  # switched off; without alpha, the layer inherits alpha
            own.setVisible(False)


def _plan(below: Any, source: LayerSource, visible: bool, always: bool) -> tuple[str, bool]:
    """The sentence for the user, and whether the layer below is to be hidden.

    `visible`: whether the dream is.
    """
    name = below.name()
    if not visible:
        return layer_notes.dream_hidden_too(name), False
    mode, opacity = below.blendingMode(), below.opacity()
    plain = mode == NORMAL and opacity == OPAQUE and source.opaque
    if plain or not below.visible():
        return "", False
    again = below.uniqueId() == source.above  # a dream of the same source, in the same place
    if always and (again or source.covered):
        if below.uniqueId() == source.node_id:
            return layer_notes.hidden_for_dream(name), True
        return layer_notes.hidden_for_new_dream(name), True
    other = None if mode == NORMAL else mode.replace("_", " ").title()
    percent = 100 * opacity / OPAQUE
    return layer_notes.counts_twice(name, other, percent, film=not always), False
