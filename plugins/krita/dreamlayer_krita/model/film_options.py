"""The settings of a film, and starting one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from krita import Krita

from dreamlink.recipe.recipe import Recipe
from dreamlink.session.film_options import DIVE, FRAMES, FilmError, FilmOptions

from ..document import dream_store
from ..document.errors import DocumentError
from ..document.layer_io import DreamTarget
from ..document.source import LayerSource
from ..qt.guard import guarded
from . import film_frames
from .editing import RepeatedFilm
from .film import Film, FilmPlan, FinishedFilm
from .reread import find_source, read_again
from .session import Session


@dataclass(frozen=True)
class FilmChoice(FilmOptions):
    """The film window's fields; invalid values raise DocumentError."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> FilmChoice:
        """The settings stored with a film; raises DocumentError if they are invalid."""
        try:
            return super().of(values)
        except FilmError as error:
            raise DocumentError(str(error)) from error

    def check(self) -> None:
        """Raise DocumentError if there can be no such film."""
        try:
            super().check()
        except FilmError as error:
            raise DocumentError(str(error)) from error


def start_film(
    session: Session, recipe: Recipe, choice: FilmChoice, repeated: RepeatedFilm | None = None
) -> Film:
    """Start a film of the active layer, or dream a film again; raises DocumentError."""
    choice.check()
    active = Krita.instance().activeDocument()
    if active is None:
        raise DocumentError("No picture is open: open one and select a layer, then dream.")
    node = find_source(active, repeated.stored) if repeated else active.activeNode()
    times = film_frames.frame_times(active, node) if choice.kind == FRAMES else []
    if choice.kind == FRAMES and not times:
        raise DocumentError(
            "The layer is not an animated paint layer: select one, or choose a dive."
        )
    selection = active.selection()
    if choice.kind == DIVE and selection is not None and repeated is None:
        raise DocumentError("A dive uses the whole layer: deselect, then dream.")
    whole = choice.kind == FRAMES
    if repeated is not None:
        source = read_again(repeated.stored, recipe, repeated.node_id, whole=whole)
    else:
        source = session.read(recipe, DreamTarget(node, selection, whole))
    if choice.kind == FRAMES:
        plan = film_frames.plan_frames(source, times, choice.first, choice.last, choice.carry)
    else:
        plan = film_frames.plan_dive(source, choice.first, choice.count, choice.zoom)
    return _start(session, source, recipe, plan, choice)


def _start(
    session: Session, source: LayerSource, recipe: Recipe, plan: FilmPlan, choice: FilmChoice
) -> Film:
    def finished(filmed: FinishedFilm) -> None:
        dream_store.store(
            filmed.document, filmed.node_id, filmed.recipe, filmed.source, film=asdict(choice)
        )

    on_finished = guarded(finished, session.say)
    film = Film(session.link, source, recipe, plan, session.job_changed, on_finished, session.soon)
    session.enqueue(film)
    return film
