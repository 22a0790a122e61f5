"""Layers that are hidden because their dreams take their place.

Hiding a layer is no undo step in Krita. So the plug-in follows the dreams: when none of a layer's
dreams is there any more (undone, cancelled or deleted), the layer is as it was before, and when one
is back (redone), the layer is hidden again. Documents belong to all windows, and so does this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from krita import Krita


@dataclass
class ReplacedLayer:
    """A layer that its dreams replace.

    Attributes:
        node_id: its unique id.
        dreams: the unique ids of the layers that replace it.
        visible: while none of them is there: whether it was visible when the last one went.
    """

    document: Any
    node_id: Any
    dreams: list[Any]
    visible: bool | None = None


_replaced: list[ReplacedLayer] = []


def add(document: Any, node_id: Any, dream_id: Any) -> None:
    """A layer was hidden because a dream that was just added takes its place."""
    for entry in _replaced:
        if entry.document == document and entry.node_id == node_id:
            entry.dreams.append(dream_id)
            return
    _replaced.append(ReplacedLayer(document, node_id, [dream_id]))


def follow() -> None:
    """Show layers whose dreams are gone, and hide those whose dreams are back.

    Costs microseconds if nothing has changed.
    """
    if not _replaced:
        return
    opened = Krita.instance().documents()
    _replaced[:] = [entry for entry in _replaced if entry.document in opened]
    for entry in list(_replaced):
        if entry.document in Krita.instance().documents():  # Krita may let events happen below
            _follow(entry)


def _follow(entry: ReplacedLayer) -> None:
    find = entry.document.nodeByUniqueID
    layer = find(entry.node_id)
    there = any(find(dream) is not None for dream in entry.dreams)
    if layer is None or there == (entry.visible is None):
        return
    if there:
        visible, entry.visible = bool(entry.visible), None
    else:
        visible, entry.visible = True, layer.visible()
    if layer.visible() != visible:
        layer.setVisible(visible)
        entry.document.refreshProjection()
