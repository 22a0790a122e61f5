"""The whole of "Deep Dream…": what is asked, dreamed, inserted and answered."""

from __future__ import annotations

import contextlib
import sys
import traceback
from typing import Any

from gi.repository import Gegl, Gimp, GLib, GObject

from dreamlink.client import LinkError
from dreamlink.recipe import Recipe, RecipeError

from . import arguments, result, source
from .dreaming import connect, dream
from .errors import Cancelled, Refused
from .options import Options
from .progress import Part, Progress, progress_for

STATUS = Gimp.PDBStatusType


def run(procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any) -> Any:
    """Serve one call; whatever goes wrong becomes a sentence, and the image stays as it was."""
    Gegl.init(None)
    try:
        layer = _deep_dream(procedure, run_mode, image, drawables, config)
    except Cancelled:
        return procedure.new_return_values(STATUS.CANCEL, None)
    except (Refused, RecipeError, LinkError) as error:
        return _failure(procedure, str(error))
    except Exception as error:  # the boundary: GIMP could only say "should not happen"
        traceback.print_exc(file=sys.stderr)
        kind = type(error).__name__
        return _failure(procedure, f"Deep Dream failed by a mistake of its own ({kind}: {error}).")
    values = procedure.new_return_values(STATUS.SUCCESS, None)
    values.remove(1)
    values.insert(1, GObject.Value(Gimp.Layer.__gtype__, layer))
    return values


def _deep_dream(
    procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any
) -> Any:
    """Dream on all drawables; the new layer, or the topmost of several."""
    if not drawables:
        raise Refused("No layer is selected: select the one to dream on in the Layers dialog.")
    for drawable in drawables:
        source.check(image, drawable)
    if run_mode == Gimp.RunMode.INTERACTIVE and not arguments.ask(procedure, config):
        raise Cancelled
    recipe, options = arguments.recipe(config), arguments.options(config)
    with contextlib.closing(progress_for(run_mode)) as progress:
        made = _dream_all(image, drawables, recipe, options, progress)
    result.insert(image, made)
    Gimp.displays_flush()
    return image.get_selected_layers()[0]


Made = list[tuple[source.Source, Any]]


def _dream_all(
    image: Any, drawables: list[Any], recipe: Recipe, options: Options, progress: Progress
) -> Made:
    """The dreams as layers outside the image: a call that fails or is cancelled adds none."""
    made: Made = []
    notes: dict[str, None] = {}  # each once
    try:
        with contextlib.closing(connect(progress)) as line:
            for index, drawable in enumerate(drawables):
                looked = source.Source.of(image, drawable, recipe, options)
                part = Part(progress, index, len(drawables))
                dreamed = dream(line, looked, recipe, part)
                assert dreamed.pixels is not None
                notes.update(dict.fromkeys(dreamed.notes))
                used = Recipe.of(dreamed.report.get("recipe", {}))
                made.append((looked, result.make(looked, used, dreamed.pixels, options)))
        for looked, _ in made:
            looked.check_still_there()
    except BaseException:
        for _, layer in made:
            if layer.is_valid():
                layer.delete()
        raise
    if notes:
        Gimp.message("\n".join(notes))
    return made


def _failure(procedure: Any, text: str) -> Any:
    return procedure.new_return_values(STATUS.EXECUTION_ERROR, GLib.Error(text))
