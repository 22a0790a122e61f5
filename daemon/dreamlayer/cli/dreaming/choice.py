"""From the options of `dreamlayer dream` to what is dreamed, and how."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from dreamlayer.daemon_client import CommandError
from dreamlayer.dreaming import recipes, selection
from dreamlayer.dreaming.masks import GreyFile
from dreamlayer.dreaming.order import DreamOrder
from dreamlayer.files import reading
from dreamlayer.files.dream_map import read_map
from dreamlayer.files.opening import InputFile
from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.recipe.recipe import PARAMETERS, Recipe


def order_of(arguments: argparse.Namespace) -> tuple[DreamOrder, list[str]]:
    """What is dreamed of each picture, and notes about it.

    Raises:
        CommandError, ValueError: options contradict each other, or a file can't be read.
    """
    base = StoredRecipe.read(arguments.recipe) if arguments.recipe else StoredRecipe()
    recipe = recipe_of(arguments, base)
    _check_guide(recipe, arguments.guide)
    _check_map(recipe, arguments.map)
    rectangle = base.select
    if arguments.select is not None:
        rectangle = selection.rectangle_of(arguments.select)
    most = arguments.pixels_max
    if arguments.mask:
        InputFile(arguments.mask).close()  # refused once, not with each picture
    guide = reading.read_guide(arguments.guide, most) if arguments.guide else None
    dream_map = read_map(arguments.map, most, recipe.bindings()) if arguments.map else None
    beside = (arguments.mask, arguments.guide, arguments.map, arguments.recipe)
    order = DreamOrder(
        recipe,
        rectangle,
        mask=GreyFile(arguments.mask, most) if arguments.mask else None,
        guide=guide.image if guide else None,
        dream_map=dream_map.image if dream_map else None,
        device=arguments.device,
        gain=arguments.json,
        pixels_max=most,
        overwrite=arguments.overwrite,
        made_from=[path for path in beside if path is not None],
    )
    pages = [read.page_note for read in (guide, dream_map) if read]
    return order, [*_notes(arguments, base), *pages]


def recipe_of(arguments: argparse.Namespace, base: StoredRecipe) -> Recipe:
    """The recipe that the options ask for; `base` is that of --recipe."""
    given = dict(_given(arguments))
    if given.get("bind") and "layer" in given:
        raise CommandError(
            "--layer is dreamed everywhere, and --bind says what each colour of a map stands for:"
            " omit one of them."
        )
    return recipes.changed(given, arguments.preset, base.recipe if arguments.recipe else None)


def _given(arguments: argparse.Namespace) -> Iterator[tuple[str, object]]:
    """The recipe's parameters that have been given as options."""
    for name, parameter in PARAMETERS.items():
        if not hasattr(arguments, name):
            continue
        value = getattr(arguments, name)
        if parameter.entry:
            value = "; ".join(value)
        yield name, value if parameter.kind is bool else parameter.parse(value)


def _check_guide(recipe: Recipe, guide: Path | None) -> None:
    if recipe.needs_guide == (guide is not None):
        return
    if guide is None:
        raise CommandError(
            f"“{recipe.bind or recipe.layer}” needs a guide picture: name one with --guide PICTURE."
        )
    layer = next(iter(recipe.expression().layers), Recipe().layer)
    raise CommandError(
        f"A guide is only used by layers with :guide or :cosine: add e.g. --layer {layer}:guide, or"
        " omit --guide."
    )


def _check_map(recipe: Recipe, dream_map: Path | None) -> None:
    if recipe.bindings() and dream_map is None:
        raise CommandError(
            f"“{recipe.bind}” says what the colours of a dream map stand for: name the map with"
            " --map PICTURE."
        )
    if dream_map is not None and not recipe.bindings():
        raise CommandError(
            "Nothing says what the colours of --map stand for: add e.g."
            " --bind '#ff0000=kind:dogs', once for each colour."
        )


def _notes(arguments: argparse.Namespace, base: StoredRecipe) -> list[str]:
    """Notes about options that come from the stored recipe, or that it would need."""
    notes = []
    if base.select is not None and arguments.select is None:
        x, y, width, height = base.select
        notes.append(
            f"As in {arguments.recipe}, only {x},{y},{width},{height} is dreamed in; use --select"
            " to change that."
        )
    if base.mask and arguments.mask is None:
        notes.append(
            f"{arguments.recipe} was dreamed with a mask, which is not stored in it: for the same"
            " result, pass the mask again with --mask."
        )
    return notes
