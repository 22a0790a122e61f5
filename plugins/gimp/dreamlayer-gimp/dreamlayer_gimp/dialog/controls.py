"""The dialog's controls: one for each parameter of the recipe, and one for each option."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gi.repository import Gimp, GimpUi, GObject, Gtk

from dreamlink.recipe.recipe import PARAMETERS, Parameter

from ..call.arguments import BIND, MAP, argument_name
from ..call.options import OPTIONS, Option
from .map_colours_row import MapColoursRow

Choices = Sequence[tuple[str, str]]  # values of the argument, and their labels
NO_LAYER = -1  # the entry "None" in a list of layers, whose other values are GIMP's item ids
MORE_HEIGHT = 160  # pixels: the least height of the list below "More"


class Controls:
    """Makes the dialog's widgets; each is bound to a property of the config, both ways."""

    def __init__(self, dialog: Any, config: Any, say: Callable[[str], None]) -> None:
        """`say` shows a sentence about what is wrong."""
        self._dialog = dialog
        self._config = config
        self._say = say
        self._labels = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)

    def main(self) -> Any:
        """The controls of the main parameters."""
        return self._column("main", [row for row in PARAMETERS.values() if row.main], ())

    def more(self) -> Any:
        """All other controls, in a folded list."""
        present = [option for option in OPTIONS if self._config.find_property(option.argument)]
        rows = [row for row in PARAMETERS.values() if not row.main]
        column = self._column("more", rows, present)
        scrolled = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER, vexpand=True)
        scrolled.set_min_content_height(MORE_HEIGHT)
        column.set_margin_end(12)  # room for the scroll bar
        scrolled.add(column)
        expander = Gtk.Expander.new_with_mnemonic("_More")
        expander.set_resize_toplevel(True)
        expander.add(scrolled)
        return expander

    def _column(self, kind: str, rows: Sequence[Parameter], options: Sequence[Option]) -> Any:
        """A box with GIMP's standard controls, and our own where GIMP has no suitable one."""
        for row in rows:
            if row.kind in (int, float):
                self._limit_parameter(row)
        names = [argument_name(row.name) for row in rows] + [option.argument for option in options]
        if BIND in names:  # below the map whose colours it names
            names.remove(BIND)
            names.insert(names.index(MAP) + 1, BIND)
        own = {
            argument_name(row.name): self._choice(
                argument_name(row.name), [(word, word.capitalize()) for word in row.choices]
            )
            for row in rows
            if row.choices
        }
        for option in options:
            if option.choices:
                own[option.argument] = self._choice(option.argument, option.choices)
            elif option.default is None:
                own[option.argument] = self._layer(option.argument)
            elif isinstance(option.default, float):
                self._limit(option.argument, GimpUi.ScaleEntry, (0.0, 1.0), 0.05, 2)
        if BIND in names:
            colours = MapColoursRow(self._dialog, self._config, self._say)
            self._labels.add_widget(colours.label)
            own[BIND] = colours.row
        column = self._dialog.fill_box(kind, [name for name in names if name not in own])
        for place, name in enumerate(names):
            if name in own:
                column.pack_start(own[name], False, False, 0)
                column.reorder_child(own[name], place)
        for widget in column.get_children():
            if isinstance(widget, GimpUi.Labeled):
                self._labels.add_widget(widget.get_label())
        return column

    def _choice(self, name: str, choices: Choices) -> Any:
        """A list of the values of a text argument."""
        store = Gtk.ListStore(str, str)
        for choice in choices:
            store.append(choice)
        combo = GimpUi.prop_string_combo_box_new(self._config, name, store, 0, 1)
        return self._row(name, GimpUi.LabelStringWidget, combo)

    def _layer(self, name: str) -> Any:
        """A list of layers with an entry "None", which GIMP's own chooser does not have."""
        combo = GimpUi.DrawableComboBox.new(None)
        columns = GimpUi.IntStoreColumns
        model = combo.get_model()
        model.set(model.prepend(), [columns.VALUE, columns.LABEL], [NO_LAYER, "None"])
        chosen = self._config.get_property(name)
        combo.set_active(chosen.get_id() if chosen is not None else NO_LAYER)
        GObject.Object.connect(
            combo, "changed", self._on_layer_chosen, name
        )  # the combo box has a connect() of its own
        self._config.connect(f"notify::{name}", self._on_layer_property, combo)
        return self._row(name, GimpUi.LabelIntWidget, combo)

    def _on_layer_chosen(self, combo: Any, name: str) -> None:
        _, number = combo.get_active()
        old = self._config.get_property(name)
        if number != (old.get_id() if old is not None else NO_LAYER):
            layer = Gimp.Item.get_by_id(number) if number != NO_LAYER else None
            self._config.set_property(name, layer)

    def _on_layer_property(self, config: Any, what: Any, combo: Any) -> None:
        chosen = config.get_property(what.name)
        combo.set_active(chosen.get_id() if chosen is not None else NO_LAYER)

    def _row(self, name: str, kind: Any, combo: Any) -> Any:
        spec = self._config.find_property(name)
        combo.set_hexpand(True)
        row = kind.new(spec.nick, combo)
        row.set_tooltip_text(spec.blurb)
        row.show_all()
        return row

    def _limit_parameter(self, row: Parameter) -> None:
        """Give a number's control its real limits; main parameters but the seed get a slider."""
        kind = GimpUi.ScaleEntry if row.main and row.name != "seed" else GimpUi.LabelSpin
        limits = row.minimum or 0, row.maximum or 0
        digits = 0 if row.kind is int else 2
        self._limit(argument_name(row.name), kind, limits, row.step or 1, digits)

    def _limit(
        self, name: str, kind: Any, limits: tuple[float, float], step: float, digits: int
    ) -> None:
        control = self._dialog.get_widget(name, kind.__gtype__)
        lower, upper = limits
        control.set_property("lower", lower)
        control.set_property("upper", upper)
        control.set_property("digits", digits)
        control.set_increments(step, min(10 * step, upper - lower))
