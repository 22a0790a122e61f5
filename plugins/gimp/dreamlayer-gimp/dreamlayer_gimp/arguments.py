"""The recipe table as arguments of GIMP's procedure, and the dialog that asks for them."""

from __future__ import annotations

from typing import Any

from gi.repository import GObject

from dreamlink import presets
from dreamlink.recipe import PARAMETERS, Parameter, Recipe

from .errors import Refused
from .options import OPTIONS, Option, Options
from .preset_box import PresetBox

TITLE = "Deep Dream"
PRESET = "preset"
TAKEN = "colrsp"  # mnemonics of the dialog's own: Cancel, OK, Load, Reset, Save, and the presets
# GIMP puts the default in place of a number beyond an argument's limits, and goes on. So they are
# wide: what is wrong comes through, and the recipe table says so. The dialog has the real limits.
WHOLE = 2**31
WIDE = 1e9


def add_to(procedure: Any) -> None:
    """Give the procedure an argument for the preset and one for each parameter of the recipe."""
    procedure.add_string_argument(
        PRESET,
        "Preset",
        "For scripts: the recipe of this name, e.g. feathers, with what the other arguments say"
        " otherwise. See: dreamlayer presets.",
        "",
        GObject.ParamFlags.READWRITE,
    )
    # There are more labels than letters: the rows that are seen at once choose first.
    rows = sorted(PARAMETERS.values(), key=lambda row: not row.main)
    names = [argument(row.name) for row in rows] + [option.argument for option in OPTIONS]
    texts = [_label(row) for row in rows] + [option.label for option in OPTIONS]
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
    for option in OPTIONS:
        _add_option(procedure, option, labels[option.argument])


def options(config: Any) -> Options:
    """What the arguments say besides the recipe; raises Refused."""
    values = {option.name: config.get_property(option.argument) for option in OPTIONS}
    for option in OPTIONS:
        words = [word for word, _ in option.choices]
        if words and values[option.name] not in words:
            raise Refused(
                f"{option.argument} is {' or '.join(words)}, not {values[option.name]!r:.60}."
            )
    return Options(**values)


def recipe(config: Any) -> Recipe:
    """The recipe that the arguments describe: the preset's, and what differs from the defaults.

    Raises RecipeError.
    """
    name = config.get_property(PRESET)
    values = dict(presets.find(name).values) if name else {}
    for row in PARAMETERS.values():
        value = config.get_property(argument(row.name))
        value = "" if value is None else value
        if value != row.default:
            values[row.name] = value
    return Recipe.of(values)


def ask(procedure: Any, config: Any) -> bool:
    """Show the dialog with the last values; False if the user does not want to dream.

    Raises Refused where there is no display.
    """
    from gi.repository import GimpUi, Gtk  # not imported for scripts, which may have no display

    if not Gtk.init_check(None)[0]:  # GimpUi would end the process
        raise Refused(
            "There is no display to show a dialog on: call Deep Dream with the run mode"
            " NONINTERACTIVE."
        )
    GimpUi.init("dreamlayer-gimp")
    config.set_property(PRESET, "")  # the controls say all
    dialog = GimpUi.ProcedureDialog.new(procedure, config, TITLE)
    for row in PARAMETERS.values():
        if row.kind in (int, float):
            _limit(dialog, row)
    main = [argument(row.name) for row in PARAMETERS.values() if row.main]
    more = [argument(row.name) for row in PARAMETERS.values() if not row.main]
    dialog.fill_box("more", more)
    dialog.get_label("more-title", "More", False, False)
    dialog.fill_expander("more-expander", "more-title", False, "more")
    dialog.fill([*main, "more-expander"])
    PresetBox(config).put_into(dialog)
    confirmed: bool = dialog.run()
    dialog.destroy()
    return confirmed


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


def _limit(dialog: Any, row: Parameter) -> None:
    """Give a number's control its real limits; what has few values gets a slider."""
    from gi.repository import GimpUi

    slider = row.main and row.name != "seed"
    kind = GimpUi.ScaleEntry if slider else GimpUi.LabelSpin
    control = dialog.get_widget(argument(row.name), kind.__gtype__)
    control.set_property("lower", row.minimum)
    control.set_property("upper", row.maximum)
    control.set_property("digits", 0 if row.kind is int else 2)
    step = row.step or 1
    control.set_increments(step, 10 * step)


def _add_option(procedure: Any, option: Option, label: str) -> None:
    start, flags = (option.argument, label, option.help), GObject.ParamFlags.READWRITE
    if option.default is None:
        procedure.add_drawable_argument(*start, True, flags)
    elif isinstance(option.default, bool):
        procedure.add_boolean_argument(*start, option.default, flags)
    else:
        procedure.add_string_argument(*start, option.default, flags)


def _label(row: Parameter) -> str:
    return f"{row.label} ({row.unit})" if row.unit else row.label
