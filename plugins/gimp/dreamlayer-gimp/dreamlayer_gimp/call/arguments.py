"""The recipe table and the options as arguments of GIMP's procedures."""

from __future__ import annotations

import json
from typing import Any

from gi.repository import GObject

from dreamlink.recipe import presets
from dreamlink.recipe.errors import shortened
from dreamlink.recipe.recipe import PARAMETERS, Parameter, Recipe, RecipeError

from .errors import CallRefused
from .options import OPTIONS, CallOptions, Option

PRESET, RECIPE = "preset", "recipe"
SHOW_PREVIEW = "show-preview"
FROM_DIALOG = "from-dialog"
MAP, BIND = "map", "bind"
LAST_MAP = "last-map"
# Mnemonics of the dialog's own buttons: Cancel, OK, Load, Reset, Save, Presets, More, Preview, What
# it sees, Explore.
TAKEN_MNEMONICS = "colrspmvwx"
# GIMP silently replaces a number outside an argument's limits by the default. So the limits are
# wide: the recipe table then refuses a wrong number. The dialog's controls have the real limits.
INT_LIMIT = 2**31
FLOAT_LIMIT = 1e300


def add_arguments(procedure: Any, rows_of_options: tuple[Option, ...] = OPTIONS) -> None:
    """Add the arguments to a procedure: preset, recipe, each parameter of it, and the options."""
    procedure.add_string_argument(
        PRESET,
        "Preset",
        "For scripts: the name of a preset, e.g. feathers; other arguments override its values."
        " See: dreamlayer presets.",
        "",
        GObject.ParamFlags.READWRITE,
    )
    procedure.add_string_argument(
        RECIPE,
        "Recipe",
        "For scripts: a recipe or a part of one as JSON, as it is stored with a dream's layer, e.g."
        ' {"octaves": 4}. It overrides the preset and all other arguments.',
        "",
        GObject.ParamFlags.READWRITE,
    )
    flags = GObject.ParamFlags.READWRITE
    # There are more labels than letters: the main rows, always visible, choose first.
    rows = sorted(PARAMETERS.values(), key=lambda row: not row.main)
    names = [argument_name(row.name) for row in rows] + [
        option.argument for option in rows_of_options
    ]
    texts = [_label(row) for row in rows] + [option.label for option in rows_of_options]
    labels = dict(zip(names, with_mnemonics(texts), strict=True))
    for row in PARAMETERS.values():
        start = (argument_name(row.name), labels[argument_name(row.name)], row.help)
        end = (row.default, GObject.ParamFlags.READWRITE)
        if row.kind is bool:
            procedure.add_boolean_argument(*start, *end)
        elif (
            row.kind is str
        ):  # not a choice argument: GIMP would replace a wrong word by the default
            procedure.add_string_argument(*start, *end)
        elif row.kind is int:
            procedure.add_int_argument(*start, -INT_LIMIT, INT_LIMIT - 1, *end)
        else:
            procedure.add_double_argument(*start, -FLOAT_LIMIT, FLOAT_LIMIT, *end)
    for option in rows_of_options:
        _add_option(procedure, option, labels[option.argument])
    # Saved with the settings, but not arguments for scripts.
    procedure.add_boolean_aux_argument(
        SHOW_PREVIEW, "Preview", "Whether the dialog shows a preview.", True, flags
    )
    procedure.add_boolean_aux_argument(
        FROM_DIALOG, "From the dialog", "Whether a person has seen these settings.", False, flags
    )
    procedure.add_string_aux_argument(
        LAST_MAP, "Last map", "Which layer was the last dream map.", "", flags
    )


def read_options(config: Any) -> CallOptions:
    """The options that the arguments describe; raises CallRefused."""
    present = [option for option in OPTIONS if config.find_property(option.argument)]
    values = {option.name: config.get_property(option.argument) for option in present}
    for option in present:
        value, words = values[option.name], [word for word, _ in option.choices]
        if words and value not in words:
            raise CallRefused(f"{option.argument} must be {' or '.join(words)}, not {value!r:.60}.")
        if isinstance(value, float) and not 0.0 <= value <= 1.0:
            raise CallRefused(f"{option.argument} must be between 0 and 1, not {value!r}.")
    return CallOptions(**values)


def read_recipe(config: Any, stored: Recipe | None = None) -> Recipe:
    """The recipe that the arguments describe.

    In this order, each overriding the one before: the stored recipe, the preset, arguments that
    differ from their defaults, the argument `recipe`. Without a stored recipe and a preset, a
    script's call begins as the command does (`presets.values_under`). Raises RecipeError.
    """
    name, text = config.get_property(PRESET), config.get_property(RECIPE)
    given: dict[str, object] = {}
    for row in PARAMETERS.values():
        value = config.get_property(argument_name(row.name))
        value = "" if value is None else value
        if value != row.default:
            given[row.name] = value
    given.update(_parsed(text) if text else {})
    values: dict[str, object] = dict(stored.to_dict()) if stored else {}
    if name:
        values.update(presets.find(name).values)
    elif stored is None and not config.get_property(FROM_DIALOG):
        values.update(presets.values_under(given))
    return Recipe.of(values | given)


def has_bindings(config: Any) -> bool:
    """Whether the colours of a dream map say what is dreamed, instead of the network layer."""
    return bool((config.get_property(BIND) or "").strip())


def write_recipe(config: Any, recipe: Recipe) -> None:
    """Set the arguments to exactly this recipe, as if it had been entered in the dialog."""
    _clear_script_arguments(config)
    for name in PARAMETERS:
        config.set_property(argument_name(name), getattr(recipe, name))
    config.set_property(FROM_DIALOG, True)


def _parsed(text: str) -> dict[str, object]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise RecipeError(
            f'recipe must be JSON such as {{"octaves": 4, "seed": 7}}, not {shortened(text, 60)!r}.'
        )
    return values


def prepare_for_dialog(config: Any) -> None:
    """Let the arguments be what the dialog shows: at first what a script's call would dream.

    Arguments for scripts are cleared: the dialog doesn't show them, and they would override it.
    Raises RecipeError.
    """
    if not config.get_property(FROM_DIALOG):
        write_recipe(config, read_recipe(config))
    _clear_script_arguments(config)


def _clear_script_arguments(config: Any) -> None:
    for name in (PRESET, RECIPE):
        config.set_property(name, "")


def argument_name(name: str) -> str:
    """The name of a parameter's argument: GIMP has dashes in place of underscores."""
    return name.replace("_", "-")


def with_mnemonics(labels: list[str]) -> list[str]:
    """The labels with an underscore before a letter that no other label or button uses."""
    taken = set(TAKEN_MNEMONICS)
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
        procedure.add_double_argument(*start, -FLOAT_LIMIT, FLOAT_LIMIT, option.default, flags)
    else:
        procedure.add_string_argument(*start, option.default, flags)


def _label(row: Parameter) -> str:
    return f"{row.label} ({row.unit})" if row.unit else row.label
