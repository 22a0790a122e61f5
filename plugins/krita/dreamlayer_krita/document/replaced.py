"""Layers that are hidden because their dreams take their place.

Hiding a layer is no undo step in Krita. So the plug-in follows the dreams: when the last one of a
layer is undone or cancelled, the layer is as it was before, and when one is redone, it is hidden
again. If a dream was merged or deleted, the layer stays hidden: its picture may be in another one.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from krita import Krita

UNDO_KNOWN = 3.0  # seconds within which Krita's Redo names the step that was undone
UNDO_RUNS = 0.5  # seconds that an undo may take until the layer is gone
FOLLOWED = "dreamlayer_followed"  # set on an action whose calls are noted


@dataclass
class ReplacedLayer:
    """A layer that its dreams replace.

    Attributes:
        node_id: its unique id.
        dreams: the unique ids of the layers that replace it.
        seen: when one of them was there last, on time.monotonic()'s clock.
        replaced: whether one of them was there when last looked.
        visible: since they were undone: whether the layer was visible before that.
        gone: when none of them was there any more, on the same clock.
    """

    document: Any
    node_id: Any
    dreams: list[Any]
    seen: float
    replaced: bool = True
    visible: bool | None = None
    gone: float | None = None


class ReplacedLayers:
    """The replaced layers of all documents."""

    def __init__(self) -> None:
        self._layers: list[ReplacedLayer] = []
        self._no_redo: str | None = None  # the text of Krita's Redo while it names no step
        self._undo_called = -math.inf  # when the user last undid, on time.monotonic()'s clock

    def add(self, document: Any, node_id: Any, dream_id: Any) -> None:
        """A layer was hidden because a dream that was just added takes its place."""
        now = time.monotonic()
        for entry in self._layers:
            if entry.document == document and entry.node_id == node_id:
                if dream_id not in entry.dreams:
                    entry.dreams.append(dream_id)
                # At once, not when next looked: the dream may be undone before that.
                entry.replaced, entry.visible, entry.gone, entry.seen = True, None, None, now
                return
        self._layers.append(ReplacedLayer(document, node_id, [dream_id], now))

    def dream_in_place_of(self, document: Any, node_id: Any) -> Any:
        """The newest visible dream in whose favour a layer was hidden; None without one."""
        for entry in self._layers:
            if entry.document == document and entry.node_id == node_id:
                nodes = map(document.nodeByUniqueID, reversed(entry.dreams))
                return next((node for node in nodes if node is not None and node.visible()), None)
        return None

    def follow(self, cancelled: bool = False) -> None:
        """Show layers whose dreams are gone, and hide those whose dreams are back.

        Costs microseconds if nothing has changed.

        Args:
            cancelled: the plug-in has just removed a dream itself; else only undo shows a layer.
        """
        undone = self._was_undone()
        for entry in list(self._layers):
            if entry.document in Krita.instance().documents():  # events may have closed it
                # A dream that was still there after an undo was taken away by something else.
                called = self._undo_called > entry.seen - UNDO_RUNS
                _follow(entry, cancelled or undone or called)
            elif entry in self._layers:
                self._layers.remove(entry)

    def _was_undone(self) -> bool:
        """Whether the last step was an undo: after any other there is nothing to redo.

        Redo is always enabled, so its text must tell. It does not always: Krita may add a step
        without a name right after the undo (updates of vector and clone layers), or undo one
        (transform masks). So `follow` counts calls of Undo too, but no clicks in the History
        docker.
        """
        krita = Krita.instance()
        if krita.activeDocument() is None:
            return False
        undo, redo = krita.action("edit_undo"), krita.action("edit_redo")
        if undo is None or redo is None:
            return False
        if not undo.property(FOLLOWED):  # each window has actions of its own
            undo.setProperty(FOLLOWED, True)
            undo.triggered.connect(self._note_undo)
        text = str(redo.text()).strip()
        if self._no_redo is None or len(text) < len(self._no_redo):
            self._no_redo = text
        return len(text) > len(self._no_redo)

    def _note_undo(self, *_: object) -> None:
        self._undo_called = time.monotonic()


replaced_layers = ReplacedLayers()  # one, since a document may be shown in several windows


def _follow(entry: ReplacedLayer, undone: bool) -> None:
    find = entry.document.nodeByUniqueID
    layer = find(entry.node_id)
    there = any(find(dream) is not None for dream in entry.dreams)
    if there:
        entry.gone, entry.seen = None, time.monotonic()
    if layer is None or there == entry.replaced:
        return
    if there:
        entry.replaced = True
        if entry.visible is not None:
            visible, entry.visible = entry.visible, None
            _show(entry.document, layer, visible)
        return
    now = time.monotonic()
    entry.gone = now if entry.gone is None else entry.gone
    if undone:
        entry.replaced, entry.visible = False, layer.visible()
        _show(entry.document, layer, True)
    elif now > entry.gone + UNDO_KNOWN:
        entry.replaced = False


def _show(document: Any, layer: Any, visible: bool) -> None:
    if layer.visible() != visible:
        layer.setVisible(visible)
        document.refreshProjection()
