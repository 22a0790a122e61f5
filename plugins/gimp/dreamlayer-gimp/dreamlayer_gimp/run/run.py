"""One call of "Deep Dream…" or "Dream Again…": from the arguments or dialog to the new layers."""

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

from ..call import arguments, last_map
from ..call.errors import CallRefused, Cancelled
from ..call.options import CallOptions
from ..layers import buffers, result_layer, stacking
from ..layers.checks import check
from ..layers.dream_map import refuse_other_image
from ..layers.placement import DreamPlacement
from ..layers.source import DrawableSource
from . import animation, repeat
from .canvas_preview import CanvasPreview, canvas_preview_for
from .dream import connect, dream
from .progress import PartialProgress, ProgressDisplay, progress_display
from .repeat import RepeatedDream

STATUS = Gimp.PDBStatusType


@dataclass(frozen=True)
class DreamTask:
    """One dream of a call. placement: of the earlier dream that it repeats, if any."""

    drawable: Any
    recipe: Recipe
    options: CallOptions
    placement: DreamPlacement | None = None


def run(procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any) -> Any:
    """Do one call. Errors become a sentence for the user, and leave the image unchanged."""
    buffers.prepare()
    try:
        layer = _serve(procedure, run_mode, image, drawables, config)
    except Cancelled:
        return procedure.new_return_values(STATUS.CANCEL, None)
    except (CallRefused, RecipeError, LinkError) as error:
        return _failure(procedure, str(error))
    except Exception as error:  # GIMP itself would only say "should not happen"
        traceback.print_exc(file=sys.stderr)
        kind = type(error).__name__
        return _failure(
            procedure, f"Deep Dream failed because of a bug in Dreamlayer ({kind}: {error})."
        )
    values = procedure.new_return_values(STATUS.SUCCESS, None)
    values.remove(1)
    values.insert(1, GObject.Value(Gimp.Layer.__gtype__, layer))
    return values


def _serve(procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any) -> Any:
    """Dream on all drawables; returns the new layer, the topmost of several."""
    if not drawables:
        raise CallRefused("No layer is selected: select the one to dream on in the Layers dialog.")
    make_tasks = _repeat_tasks if procedure.get_name() == repeat.PROCEDURE else _new_tasks
    tasks = make_tasks(procedure, run_mode, image, drawables, config)
    for task in tasks:  # the frames of an animation are in an image of their own
        refuse_other_image(image, task.options.dream_map)
    film = None
    made: MadeLayers = []
    clean = tasks[0].options.canvas_preview  # a killed call would leave the preview on the canvas
    with contextlib.closing(progress_display(run_mode, clean)) as progress:
        if tasks[0].options.frames:
            film, notes = _dream_frames(image, tasks[0], progress)
        else:
            made, notes = _dream_all(image, tasks, progress)
    # The progress display is gone: Cancel can't interrupt the undo step from here on.
    if film is None:
        notes += result_layer.insert(image, made)
    elif run_mode != Gimp.RunMode.NONINTERACTIVE:
        Gimp.Display.new(film)
    Gimp.displays_flush()
    _show_notes(notes)
    return (film or image).get_selected_layers()[0]


def _new_tasks(
    procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any
) -> list[DreamTask]:
    """The dreams of "Deep Dream…", with the settings of the arguments or the dialog."""
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    if run_mode != Gimp.RunMode.NONINTERACTIVE:
        last_map.recall(config, image, forget=interactive)
    if interactive or not arguments.read_options(config).frames:  # frames can be layers of any kind
        for drawable in drawables:
            check(image, drawable)
    if interactive and not _show_dialog(procedure, config, image, drawables[0]):
        raise Cancelled
    recipe, options = arguments.read_recipe(config), arguments.read_options(config)
    return [DreamTask(drawable, recipe, options) for drawable in drawables]


def _repeat_tasks(
    procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any
) -> list[DreamTask]:
    """The dreams of "Dream Again…"; the dialog shows the stored recipe of the first layer."""
    repeats = [RepeatedDream.of(image, drawable) for drawable in drawables]
    if run_mode == Gimp.RunMode.WITH_LAST_VALS:
        last_map.recall(config, image, forget=False)
    if run_mode == Gimp.RunMode.INTERACTIVE:
        arguments.write_recipe(config, repeats[0].recipe)
        config.set_property("guide", repeats[0].guide)
        config.set_property("strength-map", repeats[0].strength)
        config.set_property(arguments.MAP, repeats[0].dream_map)
        box = repeats[0].placement.region if repeats[0].placement else None
        if not _show_dialog(procedure, config, image, repeats[0].drawable, box):
            raise Cancelled
    entered, options = arguments.read_recipe(config), arguments.read_options(config)
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    seen = config.get_property(arguments.FROM_DIALOG)
    same_as_last = run_mode == Gimp.RunMode.WITH_LAST_VALS and seen
    if interactive or same_as_last:
        return [DreamTask(each.drawable, entered, options, each.placement) for each in repeats]
    tasks = []
    for each in repeats:
        recipe = arguments.read_recipe(config, each.recipe)
        completed = each.with_stored_layers(options, recipe)
        tasks.append(DreamTask(each.drawable, recipe, completed, each.placement))
    return tasks


def _show_dialog(
    procedure: Any, config: Any, image: Any, drawable: Any, box: Region | None = None
) -> bool:
    """Show the dialog; False if the user cancels."""
    from ..dialog import dialog  # not for scripts, which may have no display

    return dialog.show(procedure, config, image, drawable, box)


MadeLayers = list[tuple[DrawableSource, Any]]


def _dream_all(
    image: Any, tasks: list[DreamTask], progress: ProgressDisplay
) -> tuple[MadeLayers, list[str]]:
    """The dreams as layers outside the image: so a failed or cancelled call adds none.

    Also notes for the user.
    """
    made: MadeLayers = []
    notes: dict[str, None] = {}  # each only once
    canvas: CanvasPreview | None = None
    try:
        with contextlib.closing(connect(progress)) as client:
            for index, task in enumerate(tasks):
                source = DrawableSource.of(
                    image, task.drawable, task.recipe, task.options, task.placement
                )
                stacking.check(source)
                recipe = task.recipe.with_seed()
                canvas = canvas_preview_for(source, recipe, task.options, len(tasks) == 1)
                part = PartialProgress(progress, index, len(tasks))
                dreamed = dream(client, source, recipe, part, canvas.watch, **canvas.fields)
                assert dreamed.pixels is not None
                notes.update(dict.fromkeys(dreamed.notes))
                used = Recipe.of(dreamed.report.get("recipe", {}))
                layer = result_layer.make(source, used, dreamed.pixels, task.options)
                made.append((source, canvas.finish(layer)))
                notes.update(dict.fromkeys(canvas.notes))
        for source, _ in made:
            source.check_still_there()
    except BaseException:
        if canvas is not None:
            canvas.remove()
        for _, layer in made:
            if layer.is_valid():
                layer.delete()
        raise
    return made, list(notes)


def _dream_frames(image: Any, task: DreamTask, progress: ProgressDisplay) -> tuple[Any, list[str]]:
    """The dreams on all layers of an animation, as a new image; and notes for the user."""
    with contextlib.closing(connect(progress)) as client:
        film, notes = animation.dream_all(client, image, task.recipe, task.options, progress)
    film.set_selected_layers(film.get_layers()[:1])
    return film, notes


def _show_notes(notes: Iterable[str]) -> None:
    """Show notes on dreams that succeeded."""
    text = "\n".join(dict.fromkeys(notes))
    if text:
        Gimp.message(text)


def _failure(procedure: Any, text: str) -> Any:
    return procedure.new_return_values(STATUS.EXECUTION_ERROR, GLib.Error(text))
