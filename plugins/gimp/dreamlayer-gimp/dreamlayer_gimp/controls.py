"""The dialog's controls: one for each parameter of the recipe, and one for each option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gi.repository import GimpUi, Gtk

from dreamlink.recipe import PARAMETERS, Parameter

from .arguments import argument
from .options import OPTIONS

Choices = Sequence[tuple[str, str]]  # the word that the argument takes, and how it is shown
SCROLLED = 240  # pixels of the list of rarer controls that are seen at once


class Controls:
    """Makes the dialog's widgets; each follows the config, and the config follows it."""

    def __init__(self, dialog: Any, config: Any) -> None:
        self._dialog = dialog
        self._config = config
        self._labels = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)

    def main(self) -> Any:
        """The few that matter most."""
        return self._column("main", [row for row in PARAMETERS.values() if row.main], ())

    def more(self) -> Any:
        """All others, folded away."""
        there = [option for option in OPTIONS if self._config.find_property(option.argument)]
        rows = [row for row in PARAMETERS.values() if not row.main]
        column = self._column("more", rows, there)
        scrolled = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER)
        scrolled.set_min_content_height(SCROLLED)
        column.set_margin_end(12)  # room for the scroll bar
        scrolled.add(column)
        expander = Gtk.Expander.new_with_mnemonic("_More")
        expander.set_resize_toplevel(True)
        expander.add(scrolled)
        return expander

    def _column(self, name: str, rows: Sequence[Parameter], options: Sequence[Any]) -> Any:
        """A box of GIMP's own controls, and of ours for choices, which are words to GIMP."""
        made: list[tuple[str, Choices]] = [
            (argument(row.name), [(word, word.capitalize()) for word in row.choices])
            for row in rows
        ]
        made += [(option.argument, option.choices) for option in options]
        for row in rows:
            if row.kind in (int, float):
                self._limit(row)
        column = self._dialog.fill_box(name, [row[0] for row in made if not row[1]])
        for place, (name, choices) in enumerate(made):
            if choices:
                widget = self._choice(name, choices)
                column.pack_start(widget, False, False, 0)
                column.reorder_child(widget, place)
        for widget in column.get_children():
            if isinstance(widget, GimpUi.Labeled):
                self._labels.add_widget(widget.get_label())
        return column

    def _choice(self, name: str, choices: Choices) -> Any:
        store = Gtk.ListStore(str, str)
        for choice in choices:
            store.append(choice)
        spec = self._config.find_property(name)
        combo = GimpUi.prop_string_combo_box_new(self._config, name, store, 0, 1)
        combo.set_hexpand(True)
        row = GimpUi.LabelStringWidget.new(spec.nick, combo)
        row.set_tooltip_text(spec.blurb)
        row.show_all()
        return row

    def _limit(self, row: Parameter) -> None:
        """Give a number's control its real limits; what has few values gets a slider."""
        slider = row.main and row.name != "seed"
        kind = GimpUi.ScaleEntry if slider else GimpUi.LabelSpin
        control = self._dialog.get_widget(argument(row.name), kind.__gtype__)
        control.set_property("lower", row.minimum)
        control.set_property("upper", row.maximum)
        control.set_property("digits", 0 if row.kind is int else 2)
        step, room = row.step or 1, (row.maximum or 0) - (row.minimum or 0)
        control.set_increments(step, min(10 * step, room))
