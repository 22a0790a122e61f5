"""Layers that are hidden because their dreams take their place.

Hiding a layer is no undo step in Krita. So the plug-in follows the dreams: when the last one of a
layer is undone or cancelled, the layer is as it was before, and when one is redone, it is hidden
again. If a dream was merged or deleted, the layer stays hidden: its picture may be in another one.
Documents belong to all windows, and so does this list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from krita import Krita


@dataclass
class ReplacedLayer:
    """A layer that its dreams replace.

    Attributes:
        node_id: its unique id.
        dreams: the unique ids of the layers that replace it.
        replaced: whether one of them was there when last looked.
        visible: since they were undone: whether the layer was visible before that.
        redo: the shortest text of Krita's action that redoes a step; the others name a step.
    """

    document: Any
    node_id: Any
    dreams: list[Any]
    replaced: bool = True
    visible: bool | None = None
    redo: str = field(default_factory=lambda: _redo())


_layers: list[ReplacedLayer] = []


def add(document: Any, node_id: Any, dream_id: Any) -> None:
    """A layer was hidden because a dream that was just added takes its place."""
    for entry in _layers:
        if entry.document == document and entry.node_id == node_id:
            entry.dreams.append(dream_id)
            return
    _layers.append(ReplacedLayer(document, node_id, [dream_id]))


def follow(cancelled: bool = False) -> None:
    """Show layers whose dreams are gone, and hide those whose dreams are back.

    Costs microseconds if nothing has changed.

    Args:
        cancelled: the plug-in has just removed a dream itself; else only undo shows a layer.
    """
    for entry in list(_layers):
        if entry.document in Krita.instance().documents():  # Krita lets events happen in its calls
            _follow(entry, cancelled)
        elif entry in _layers:
            _layers.remove(entry)


def _follow(entry: ReplacedLayer, cancelled: bool) -> None:
    find = entry.document.nodeByUniqueID
    layer = find(entry.node_id)
    redo = _redo()
    entry.redo = min(redo, entry.redo, key=len)
    before, entry.replaced = entry.replaced, any(find(dream) is not None for dream in entry.dreams)
    if layer is None or entry.replaced == before:
        return
    undone = len(redo) > len(entry.redo)  # after any other step there is nothing to redo
    if not entry.replaced and (cancelled or undone):
        entry.visible = layer.visible()
        _show(entry.document, layer, True)
    elif entry.replaced and entry.visible is not None:
        visible, entry.visible = entry.visible, None
        _show(entry.document, layer, visible)


def _redo() -> str:
    action = Krita.instance().action("edit_redo")
    return str(action.text()) if action is not None else ""


def _show(document: Any, layer: Any, visible: bool) -> None:
    if layer.visible() != visible:
        layer.setVisible(visible)
        document.refreshProjection()
