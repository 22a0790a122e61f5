"""Dreams again with the settings of a dreamed layer: unchanged, with another seed, or edited.

The layer that it was dreamed on is dreamed on again, in the same place. The new layer is added
above the old one, which stays.
"""

from __future__ import annotations

from dataclasses import replace

from ..document.errors import DocumentError
from . import film_options
from .editing import EditedDream, RepeatedFilm, active_dream
from .reread import read_again
from .session import Session


def dream_again(session: Session) -> None:
    """Repeat the active layer's dream with the same settings."""
    _repeat(session, new_seed=False)


def dream_with_new_seed(session: Session) -> None:
    """Repeat the active layer's dream with another seed."""
    _repeat(session, new_seed=True)


def edit_dream(session: Session) -> None:
    """Show the active layer's settings in the form, for changing them.

    Until another layer becomes active, the Dream button dreams on what this one was dreamed on. For
    a film its window is shown, whose Dream button does the same.
    """
    try:
        node, stored = active_dream()
        session.show_recipe(stored.recipe)
        if stored.film is None:
            session.editing.set(EditedDream(node, stored))
            text = f"Change the settings of “{node.name()}”, then press Dream."
        else:
            session.film_requested.emit(RepeatedFilm(node.uniqueId(), stored))
            text = "Change the film's settings here and in its window, then press Dream there."
    except DocumentError as error:
        session.say(str(error))
        return
    if stored.left_out:
        text += f" This version does not know: {', '.join(stored.left_out)}."
    session.say(text, aloud=False)


def _repeat(session: Session, new_seed: bool) -> None:
    try:
        node, stored = active_dream()
        if stored.left_out:
            raise DocumentError(
                f"This version of Dreamlayer does not know {', '.join(stored.left_out)}: run its"
                " install.py again, or edit the dream of this layer."
            )
        recipe = replace(stored.recipe, seed=0) if new_seed else stored.recipe
        if stored.film is not None:
            repeated = RepeatedFilm(node.uniqueId(), stored)
            film_options.start_film(
                session, recipe, film_options.FilmChoice.of(stored.film), repeated
            )
        else:
            session.start(read_again(stored, recipe, node.uniqueId()), recipe)
    except DocumentError as error:
        session.say(str(error))
