"""A dreamed layer's settings, once more: dreamed again as they are, with another seed, or edited.

The layer that it was dreamed on dreams again, in the same place; the new dream lies above the old
one, which stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from krita import Krita

from dreamlink.recipe.recipe import Recipe

from ..document import document, dream_store
from ..document.document import Where
from ..document.errors import DocumentError
from ..document.source import Source
from ..ui import film_dialog
from . import film_options
from .reread import read_again

if TYPE_CHECKING:
    from ..ui.panel import Panel

NOT_DREAMED = "“{}” is not a dream that this picture knows the settings of: select a dreamed layer."


def dream_again(panel: Panel) -> None:
    """Dream again what the active layer was dreamed on, with its settings."""
    _repeat(panel, new_seed=False)


def dream_with_new_seed(panel: Panel) -> None:
    """Dream it again with all its settings but the seed."""
    _repeat(panel, new_seed=True)


def edit(panel: Panel) -> None:
    """Show the active layer's settings in the form, to be changed.

    Until another layer is active, Dream dreams on what this one was dreamed on. Of a film the
    window with its frames is shown, and its Dream does so.
    """
    try:
        node, kept = active_dream()
        panel.show_recipe(kept.recipe)
        if kept.film is None:
            panel.source_of = Editing(node, kept).read
            said = f"Change the settings of “{node.name()}”, then press Dream."
        else:
            film_dialog.ask(panel, film_options.Redone(node.uniqueId(), kept))
            said = "Change the film's settings here and in its window, then press Dream there."
    except DocumentError as error:
        panel.say(str(error))
        return
    if kept.left_out:
        said += f" This version does not know: {', '.join(kept.left_out)}."
    panel.say(said, aloud=False)


def active_dream() -> tuple[Any, dream_store.Kept]:
    """The active layer and what is known of its dream; raises DocumentError if it is none."""
    active = Krita.instance().activeDocument()
    node = active.activeNode() if active is not None else None
    if node is None:
        raise DocumentError("No layer is selected: select a dreamed layer.")
    kept = dream_store.kept(active, node.uniqueId())
    if kept is None:
        raise DocumentError(NOT_DREAMED.format(node.name()))
    return node, kept


class Editing:
    """Reads what a dreamed layer was dreamed on, as long as that layer is the active one."""

    def __init__(self, node: Any, kept: dream_store.Kept) -> None:
        self.node_id = node.uniqueId()
        self._kept = kept

    @property
    def goes_on(self) -> bool:
        """Whether the layer whose dream is edited is still the active one."""
        active = Krita.instance().activeDocument()
        node = active.activeNode() if active is not None else None
        return node is not None and node.uniqueId() == self.node_id

    def read(
        self, recipe: Recipe, guide: Any = None, strength: Any = None, where: Where | None = None
    ) -> Source:
        """In place of `document.read`."""
        if where is not None or not self.goes_on:
            return document.read(recipe, guide, strength, where)
        return read_again(self._kept, recipe, self.node_id, guide, strength)


def _repeat(panel: Panel, new_seed: bool) -> None:
    try:
        node, kept = active_dream()
        if kept.left_out:
            raise DocumentError(
                f"This version of Dreamlayer does not know {', '.join(kept.left_out)}: run its"
                " install.py again, or edit the dream of this layer."
            )
        recipe = replace(kept.recipe, seed=0) if new_seed else kept.recipe
        if kept.film is not None:
            redone = film_options.Redone(node.uniqueId(), kept)
            film_options.begin(panel, recipe, film_options.Choice.of(kept.film), redone)
        else:
            panel.start(read_again(kept, recipe, node.uniqueId()), recipe)
    except DocumentError as error:
        panel.say(str(error))
