"""The recipe table as arguments of GIMP's procedure, and the dialog that asks for them."""

from __future__ import annotations

import json
from typing import Any

from gi.repository import GObject

from dreamlink.recipe import presets
from dreamlink.recipe.errors import shortened
from dreamlink.recipe.recipe import PARAMETERS, Parameter, Recipe, RecipeError

from .errors import Refused
from .options import OPTIONS, Option, Options

PRESET, RECIPE = "preset", "recipe"
SHOW_PREVIEW = "show-preview"
# Mnemonics of the dialog's own: Cancel, OK, Load, Reset, Save, Presets, More, and Preview.
TAKEN = "colrspmv"
# GIMP puts the default in place of a number beyond an argument's limits, and goes on. So they are
# wide: what is wrong comes through, and the recipe table says so. The dialog has the real limits.
WHOLE = 2**31
WIDE = 1e300


def add_to(procedure: Any, rows_of_options: tuple[Option, ...] = OPTIONS) -> None:
    """Give the procedure its arguments: preset, recipe, each parameter of it, and the options."""
    procedure.add_string_argument(
        PRESET,
        "Preset",
        "For scripts: the recipe of this name, e.g. feathers, with what the other arguments say"
        " otherwise. See: dreamlayer presets.",
        "",
        GObject.ParamFlags.READWRITE,
    )
    procedure.add_string_argument(
        RECIPE,
        "Recipe",
        "For scripts: a recipe or a part of one as JSON, as a dream's layer remembers it, e.g."
        ' {"octaves": 4}. What it says goes before the preset and all other arguments.',
        "",
        GObject.ParamFlags.READWRITE,
    )
    flags = GObject.ParamFlags.READWRITE
    # There are more labels than letters: the rows that are seen at once choose first.
    rows = sorted(PARAMETERS.values(), key=lambda row: not row.main)
    names = [argument(row.name) for row in rows] + [option.argument for option in rows_of_options]
    texts = [_label(row) for row in rows] + [option.label for option in rows_of_options]
    labels = dict(zip(names, with_mnemonics(texts), strict=True))
    for row in PARAMETERS.values():
        start = (argument(row.name), labels[argument(row.name)], row.help)
        end = (row.default, GObject.ParamFlags.READWRITE)
        if row.kind is bool:
            procedure.add_boolean_argument(*start, *end)
        elif row.kind is str:  # not a choice: GIMP would replace a wrong word by the default
            procedure.add_string_argument(*start, *end)
        elif row.kind is int:
            procedure.add_int_argument(*start, -WHOLE, WHOLE - 1, *end)
        else:
            procedure.add_double_argument(*start, -WIDE, WIDE, *end)
    for option in rows_of_options:
        _add_option(procedure, option, labels[option.argument])
    # Remembered with the settings, but none of the arguments that a script gives.
    procedure.add_boolean_aux_argument(
        SHOW_PREVIEW, "Preview", "Whether the dialog dreams a preview.", True, flags
    )


def options(config: Any) -> Options:
    """What the arguments say besides the recipe; raises Refused."""
    there = [option for option in OPTIONS if config.find_property(option.argument)]
    values = {option.name: config.get_property(option.argument) for option in there}
    for option in there:
        value, words = values[option.name], [word for word, _ in option.choices]
        if words and value not in words:
            raise Refused(f"{option.argument} is {' or '.join(words)}, not {value!r:.60}.")
        if isinstance(value, float) and not 0.0 <= value <= 1.0:
            raise Refused(f"{option.argument} is between 0 and 1, not {value!r}.")
    return Options(**values)


def recipe(config: Any, stored: Recipe | None = None) -> Recipe:
    """The recipe that the arguments describe.

    It is the stored one or the defaults, with what the preset says, with those arguments that
    differ from their defaults, with what the argument for a recipe says. Raises RecipeError.
    """
    name, text = config.get_property(PRESET), config.get_property(RECIPE)
    values: dict[str, object] = dict(stored.to_dict()) if stored else {}
    values.update(presets.find(name).values if name else {})
    for row in PARAMETERS.values():
        value = config.get_property(argument(row.name))
        value = "" if value is None else value
        if value != row.default:
            values[row.name] = value
    values.update(_parsed(text) if text else {})
    return Recipe.of(values)


def fill(config: Any, recipe: Recipe) -> None:
    """Make the arguments say just this recipe."""
    leave_to_controls(config)
    for name, value in recipe.to_dict().items():
        config.set_property(argument(name), value)


def _parsed(text: str) -> dict[str, object]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise RecipeError(
            f'recipe is JSON such as {{"octaves": 4, "seed": 7}}, not {shortened(text, 60)!r}.'
        )
    return values


def leave_to_controls(config: Any) -> None:
    """Clear what is for scripts only, so that the dialog's controls say all."""
    for name in (PRESET, RECIPE):
        config.set_property(name, "")


def argument(name: str) -> str:
    """A parameter's name as GIMP writes it."""
    return name.replace("_", "-")


def with_mnemonics(labels: list[str]) -> list[str]:
    """The labels with an underscore before a letter that no other label or button uses."""
    taken = set(TAKEN)
    marked = []
    for label in labels:
        free = [i for i, c in enumerate(label) if c.isalpha() and c.lower() not in taken]
        place = free[0] if free else len(label)
        taken |= set(label[place : place + 1].lower())
        marked.append(f"{label[:place]}_{label[place:]}" if free else label)
    return marked


def _add_option(procedure: Any, option: Option, label: str) -> None:
    start, flags = (option.argument, label, option.help), GObject.ParamFlags.READWRITE
    if option.default is None:
        procedure.add_drawable_argument(*start, True, flags)
    elif isinstance(option.default, bool):
        procedure.add_boolean_argument(*start, option.default, flags)
    elif isinstance(option.default, float):
        procedure.add_double_argument(*start, -WIDE, WIDE, option.default, flags)
    else:
        procedure.add_string_argument(*start, option.default, flags)


def _label(row: Parameter) -> str:
    return f"{row.label} ({row.unit})" if row.unit else row.label
