"""One call of "Deep Dream…" or "Dream again…": what is asked, dreamed, inserted and answered."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gi.repository import Gimp, GLib, GObject

from dreamlink.client.client import LinkError
from dreamlink.picture import Region
from dreamlink.recipe.recipe import Recipe, RecipeError

from ..call import arguments
from ..call.errors import Cancelled, Refused
from ..call.options import Options
from ..layers import buffers, result_layer, source
from ..layers.place import Place
from . import animation, repeat
from .dream import connect, dream
from .live_layer import Canvas, canvas_for
from .progress import Part, Progress, progress_for
from .repeat import Remembered

STATUS = Gimp.PDBStatusType


@dataclass(frozen=True)
class Task:
    """One dream of a call. place: that of the dream before, if there was one."""

    drawable: Any
    recipe: Recipe
    options: Options
    place: Place | None = None


def run(procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any) -> Any:
    """Serve one call; whatever goes wrong becomes a sentence, and the image stays as it was."""
    buffers.prepare()
    try:
        layer = _serve(procedure, run_mode, image, drawables, config)
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


def _serve(procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any) -> Any:
    """Dream on all drawables; the new layer, or the topmost of several."""
    if not drawables:
        raise Refused("No layer is selected: select the one to dream on in the Layers dialog.")
    ask = _ask_again if procedure.get_name() == repeat.PROCEDURE else _ask
    tasks = ask(procedure, run_mode, image, drawables, config)
    film, made = None, []
    clean = tasks[0].options.canvas_preview  # a killed call would leave it on the canvas
    with contextlib.closing(progress_for(run_mode, clean)) as progress:
        if tasks[0].options.frames:
            film = _dream_frames(image, tasks[0], progress)
        else:
            made = _dream_all(image, tasks, progress)
    # From here on nobody can press Cancel any more, which would break into the undo step.
    if film is None:
        result_layer.insert(image, made)
    elif run_mode != Gimp.RunMode.NONINTERACTIVE:
        Gimp.Display.new(film)
    Gimp.displays_flush()
    return (film or image).get_selected_layers()[0]


def _ask(
    procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any
) -> list[Task]:
    """What is to be dreamed on these layers, as the arguments or the dialog say."""
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    if interactive or not arguments.options(config).frames:  # those can be of any kind
        for drawable in drawables:
            source.check(image, drawable)
    if interactive and not _show(procedure, config, image, drawables[0]):
        raise Cancelled
    recipe, options = arguments.recipe(config), arguments.options(config)
    return [Task(drawable, recipe, options) for drawable in drawables]


def _ask_again(
    procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any
) -> list[Task]:
    """What is to be dreamed again: the dialog shows what the first layer remembers."""
    told = [Remembered.of(image, drawable) for drawable in drawables]
    if run_mode == Gimp.RunMode.INTERACTIVE:
        arguments.fill(config, told[0].recipe)
        config.set_property("guide", told[0].guide)
        config.set_property("strength-map", told[0].strength)
        box = told[0].place.region if told[0].place else None
        if not _show(procedure, config, image, told[0].drawable, box):
            raise Cancelled
    asked, options = arguments.recipe(config), arguments.options(config)
    repeated = run_mode == Gimp.RunMode.WITH_LAST_VALS and asked != Recipe()
    tasks = []
    for each in told:
        if run_mode != Gimp.RunMode.INTERACTIVE and not repeated:
            recipe = arguments.recipe(config, each.recipe)
            tasks.append(Task(each.drawable, recipe, each.helped(options, recipe), each.place))
        else:
            tasks.append(Task(each.drawable, asked, options, each.place))
    return tasks


def _show(
    procedure: Any, config: Any, image: Any, drawable: Any, box: Region | None = None
) -> bool:
    """Show the dialog; False if the user does not want to dream."""
    from ..dialog import dialog  # not imported for scripts, which may have no display

    return dialog.ask(procedure, config, image, drawable, box)


Made = list[tuple[source.Source, Any]]


def _dream_all(image: Any, tasks: list[Task], progress: Progress) -> Made:
    """The dreams as layers outside the image: a call that fails or is cancelled adds none."""
    made: Made = []
    notes: dict[str, None] = {}  # each once
    canvas: Canvas | None = None
    try:
        with contextlib.closing(connect(progress)) as line:
            for index, task in enumerate(tasks):
                looked = source.Source.of(
                    image, task.drawable, task.recipe, task.options, task.place
                )
                recipe = task.recipe.with_seed()
                canvas = canvas_for(looked, recipe, task.options, len(tasks) == 1)
                part = Part(progress, index, len(tasks))
                dreamed = dream(line, looked, recipe, part, canvas.watch, **canvas.fields)
                assert dreamed.pixels is not None
                notes.update(dict.fromkeys(dreamed.notes))
                used = Recipe.of(dreamed.report.get("recipe", {}))
                layer = result_layer.make(looked, used, dreamed.pixels, task.options)
                made.append((looked, canvas.finish(layer)))
        for looked, _ in made:
            looked.check_still_there()
    except BaseException:
        if canvas is not None:
            canvas.remove()
        for _, layer in made:
            if layer.is_valid():
                layer.delete()
        raise
    _tell(notes)
    return made


def _dream_frames(image: Any, task: Task, progress: Progress) -> Any:
    """The dreams on all layers of an animation, as an image of their own."""
    with contextlib.closing(connect(progress)) as line:
        film, notes = animation.dream_all(line, image, task.recipe, task.options, progress)
    film.set_selected_layers(film.get_layers()[:1])
    _tell(notes)
    return film


def _tell(notes: Iterable[str]) -> None:
    """Show what was not as it should be, though the dreams are there."""
    text = "\n".join(notes)
    if text:
        Gimp.message(text)


def _failure(procedure: Any, text: str) -> Any:
    return procedure.new_return_values(STATUS.EXECUTION_ERROR, GLib.Error(text))
