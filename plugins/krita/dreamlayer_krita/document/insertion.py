"""Puts a dream into the document so that at strength 0 nothing that is seen changes. No Qt here.

The new layer is as visible, opaque and clipped as the one below it, with the same blending mode.
Where both together would count twice, the lower one is hidden if the dream covers all of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .replaced import replaced_layers
from .source import LayerSource

NORMAL = "normal"
OPAQUE = 255  # Krita's opacity of a layer, 0 to 255
IN_SELECTION = ("Inside the selection", "dream without a selection")
IN_FILM = ("While the film runs", "dream a film that begins at frame 0 and does not end")


class AddedLayer(NamedTuple):
    """A new layer: its unique id, and a sentence for the user about what is hidden, or ""."""

    node_id: Any
    note: str


def layer_below(source: LayerSource) -> Any:
    """The layer directly above which the dream is to be added."""
    node = None
    if source.above is not None:
        node = source.document.nodeByUniqueID(source.above)
    return node or source.document.nodeByUniqueID(source.node_id)


def insert(layer: Any, source: LayerSource, always: bool = True) -> AddedLayer:
    """Add a layer directly above the source, as one undo step.

    Args:
        layer: the dream. If the layer below isn't Normal, one created in a hidden document: its
            blending mode can't be changed in the user's document without an undo step.
        source: what was dreamed on.
        always: whether the layer has pixels in all frames of the animation.
    """
    below = layer_below(source)
    again = below.uniqueId() != source.node_id  # a dream of the same source, in the same place
    _take_over(layer, below)
    note, hide = _plan(below, source, again, always)
    if hide:
        below.setVisible(False)  # no undo step, and adding the layer composes the picture
    # Changes to a layer that is not in the document yet are not undoable: this is the only step.
    below.parentNode().addChildNode(layer, below)
    if hide:
        for node_id in {below.uniqueId(), source.node_id} if again else {source.node_id}:
            replaced_layers.add(source.document, node_id, layer.uniqueId())
    return AddedLayer(layer.uniqueId(), note)


def _take_over(layer: Any, below: Any) -> None:
    if layer.blendingMode() != below.blendingMode():
        layer.setBlendingMode(below.blendingMode())
    layer.setOpacity(below.opacity())
    layer.setVisible(below.visible())
    for own, other in zip(layer.channels(), below.channels(), strict=False):
        if not other.visible():  # switched off; without alpha, the layer inherits alpha
            own.setVisible(False)


def _plan(below: Any, source: LayerSource, again: bool, always: bool) -> tuple[str, bool]:
    """The sentence for the user, and whether the layer below is to be hidden."""
    name = below.name()
    if not below.visible():
        return f"“{name}” is hidden, and so is its dream: show it in the layer list.", False
    reason = _why_twice(below, source)
    if not reason:
        return "", False
    if always and (again or source.covered):
        dream = "the new dream" if again else "its dream"
        return f"“{name}” is hidden, because {dream} takes its place.", True
    where, instead = IN_SELECTION if always else IN_FILM
    return (
        f"{where} “{name}” now counts twice ({reason}): hide or erase it there, or {instead}.",
        False,
    )


def _why_twice(below: Any, source: LayerSource) -> str:
    """Why a copy above a layer changes what is seen, or ""."""
    mode, opacity = below.blendingMode(), below.opacity()
    if mode != NORMAL:
        return f"it is set to {mode.replace('_', ' ').title()}"
    if opacity != OPAQUE:
        return f"its opacity is {min(round(100 * opacity / OPAQUE), 99)} %"
    return "" if source.opaque else "it is partly transparent"
