"""What the user can choose of a film, and its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from krita import Krita

from dreamlink.recipe.recipe import Recipe
from dreamlink.session.film_options import DIVE, FRAMES, FilmError, FilmOptions

from ..document import dream_store
from ..document.document import Where
from ..document.errors import DocumentError
from ..document.source import Source
from ..qt.guard import guarded
from ..qt.qt import QtCore
from . import film_frames
from .film import Film, Filmed, Plan
from .reread import layer_of, read_again

if TYPE_CHECKING:
    from ..ui.panel import Panel


@dataclass(frozen=True)
class Choice(FilmOptions):
    """What the window's fields say; its errors are those of a document."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Choice:
        """What was kept with a film; raises DocumentError for what can't be."""
        try:
            return super().of(values)
        except FilmError as error:
            raise DocumentError(str(error)) from error

    def check(self) -> None:
        """Raise DocumentError for a film that can't be."""
        try:
            super().check()
        except FilmError as error:
            raise DocumentError(str(error)) from error


class Redone(NamedTuple):
    """A film that is dreamed again: its layer's unique id, and what is known of it."""

    node_id: Any
    kept: dream_store.Kept


def begin(panel: Panel, recipe: Recipe, choice: Choice, redone: Redone | None = None) -> Film:
    """Start a film of the active layer, or of what a film was made of; raises DocumentError."""
    choice.check()
    active = Krita.instance().activeDocument()
    if active is None:
        raise DocumentError("No picture is open: open one and select a layer, then dream.")
    node = layer_of(active, redone.kept) if redone else active.activeNode()
    begins = film_frames.starts(active, node) if choice.kind == FRAMES else []
    if choice.kind == FRAMES and not begins:
        raise DocumentError(
            "The layer is not an animated paint layer: select one, or dream a dive."
        )
    selection = active.selection()
    if choice.kind == DIVE and selection is not None and redone is None:
        raise DocumentError("A dive goes into the whole layer: deselect, then dream.")
    whole = choice.kind == FRAMES
    if redone is not None:
        source = read_again(redone.kept, recipe, redone.node_id, whole=whole)
    else:
        source = panel.read(recipe, Where(node, selection, whole))
    if choice.kind == FRAMES:
        plan = film_frames.plan(source, begins, choice.first, choice.last, choice.carry)
    else:
        plan = film_frames.dive(source, choice.first, choice.count, choice.zoom)
    return _start(panel, source, recipe, plan, choice)


def _start(panel: Panel, source: Source, recipe: Recipe, plan: Plan, choice: Choice) -> Film:
    def finished(filmed: Filmed) -> None:
        dream_store.keep(
            filmed.document, filmed.node_id, filmed.recipe, filmed.source, film=asdict(choice)
        )

    def soon(call: Any) -> None:
        QtCore.QTimer.singleShot(0, guarded(call, panel.say))

    hear = guarded(finished, panel.say)
    film = Film(panel.link, source, recipe, plan, panel.moved, hear, soon)
    panel.enqueue(film)
    return film
