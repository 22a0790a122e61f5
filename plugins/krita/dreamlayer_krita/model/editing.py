"""The dreamed layer whose settings are being changed, or whose film is dreamed again."""

from __future__ import annotations

from typing import Any, NamedTuple

from krita import Krita

from dreamlink.recipe.recipe import Recipe

from ..document import dream_store, layer_io
from ..document.errors import DocumentError
from ..document.layer_io import DreamTarget
from ..document.source import LayerSource
from .reread import read_again

NOT_DREAMED = "No dream settings are stored for the layer “{}”: select a dreamed layer."


class RepeatedFilm(NamedTuple):
    """A film that is dreamed again: its layer's unique id, and its stored settings."""

    node_id: Any
    stored: dream_store.StoredDream


class EditedDream:
    """A dreamed layer being edited: while it is active, its source layer is what dreams."""

    def __init__(self, node: Any, stored: dream_store.StoredDream) -> None:
        self.node_id = node.uniqueId()
        self._stored = stored

    @property
    def is_active(self) -> bool:
        """Whether the layer whose dream is edited is still the active one."""
        active = Krita.instance().activeDocument()
        node = active.activeNode() if active is not None else None
        return node is not None and node.uniqueId() == self.node_id

    def read(
        self,
        recipe: Recipe,
        guide: Any = None,
        strength: Any = None,
        where: DreamTarget | None = None,
        dream_map: Any = None,
    ) -> LayerSource:
        """As `layer_io.read`, but of the layer that this one was dreamed on."""
        if where is not None or not self.is_active:
            return layer_io.read(recipe, guide, strength, where, dream_map)
        return read_again(self._stored, recipe, self.node_id, guide, strength, dream_map=dream_map)


def active_dream() -> tuple[Any, dream_store.StoredDream]:
    """The active layer and its stored settings; raises DocumentError if it is not a dream."""
    active = Krita.instance().activeDocument()
    node = active.activeNode() if active is not None else None
    if node is None:
        raise DocumentError("No layer is selected: select a dreamed layer.")
    stored = dream_store.read_stored(active, node.uniqueId())
    if stored is None:
        raise DocumentError(NOT_DREAMED.format(node.name()))
    return node, stored
