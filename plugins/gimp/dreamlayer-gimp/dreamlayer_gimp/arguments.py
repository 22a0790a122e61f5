"""The recipe table as arguments of GIMP's procedure, and the dialog that asks for them."""

from __future__ import annotations

from typing import Any

from gi.repository import Gimp, GObject

from dreamlink.recipe import PARAMETERS, Parameter, Recipe

from .errors import Refused

TITLE = "Deep Dream"
TAKEN = "colrs"  # mnemonics of the dialog's own buttons: Cancel, OK, Load, Reset, Save


def add_to(procedure: Any) -> None:
    """Give the procedure one argument for each parameter of the recipe table."""
    # There are more labels than letters: the rows that are seen at once choose first.
    rows = sorted(PARAMETERS.values(), key=lambda row: not row.main)
    names = (row.name for row in rows)
    labels = dict(zip(names, with_mnemonics([_label(row) for row in rows]), strict=True))
    for row in PARAMETERS.values():
        start = (argument(row.name), labels[row.name], row.help)
        end = (row.default, GObject.ParamFlags.READWRITE)
        if row.kind is bool:
            procedure.add_boolean_argument(*start, *end)
        elif row.choices:
            procedure.add_choice_argument(*start, _choice(row), *end)
        elif row.kind is str:
            procedure.add_string_argument(*start, *end)
        elif row.kind is int:
            procedure.add_int_argument(*start, row.minimum, row.maximum, *end)
        else:
            procedure.add_double_argument(*start, row.minimum, row.maximum, *end)


def recipe(config: Any) -> Recipe:
    """The recipe that the arguments describe.

    GIMP itself replaces a number out of range, and what is no choice, by the default; the rest is
    checked here.
    Raises RecipeError.
    """
    values = {name: config.get_property(argument(name)) for name in PARAMETERS}
    return Recipe.of({name: "" if value is None else value for name, value in values.items()})


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
    dialog = GimpUi.ProcedureDialog.new(procedure, config, TITLE)
    main = [argument(row.name) for row in PARAMETERS.values() if row.main]
    more = [argument(row.name) for row in PARAMETERS.values() if not row.main]
    dialog.fill_box("more", more)
    dialog.get_label("more-title", "More", False, False)
    dialog.fill_expander("more-expander", "more-title", False, "more")
    dialog.fill([*main, "more-expander"])
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


def _choice(row: Parameter) -> Any:
    choice = Gimp.Choice.new()
    for number, name in enumerate(row.choices):
        choice.add(name, number, name.capitalize(), "")
    return choice


def _label(row: Parameter) -> str:
    return f"{row.label} ({row.unit})" if row.unit else row.label
