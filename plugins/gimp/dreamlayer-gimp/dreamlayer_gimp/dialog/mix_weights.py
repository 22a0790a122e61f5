"""What is chosen to be dreamed at once, each with its weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gi.repository import Gtk

from dreamlink.session import seen_list
from dreamlink.session.mixing import LEAST_WEIGHT, MOST_WEIGHT, WEIGHT_HELP, WEIGHT_STEP
from dreamlink.wire.seeing import SeenRow

GAP = 6  # pixels
ACROSS = 4  # weights in a line


class MixWeightFields:
    """A weight for each of several rows; hidden if there are fewer than two.

    A row keeps its weight while it stays chosen.

    Attributes:
        widget: the fields.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called after the user has changed a weight."""
        self._changed = changed
        self._rows: Sequence[SeenRow] = ()
        self._fields: dict[str, Any] = {}  # by address
        self.widget = Gtk.Grid(row_spacing=GAP, column_spacing=GAP, no_show_all=True)

    @property
    def parts(self) -> list[tuple[SeenRow, float]]:
        """The rows with their weights."""
        return [(row, self._weight(row)) for row in self._rows]

    def offer(self, rows: Sequence[SeenRow]) -> None:
        """Show these rows."""
        self._rows = rows
        weights = {address: field.get_value() for address, field in self._fields.items()}
        for child in self.widget.get_children():
            child.destroy()
        self._fields = {}
        several = len(rows) > 1
        for place, row in enumerate(rows if several else ()):
            self._add(place, row, weights.get(row.address, 1.0))
        self.widget.set_visible(several)

    def _weight(self, row: SeenRow) -> float:
        field = self._fields.get(row.address)
        return 1.0 if field is None else float(field.get_value())

    def _add(self, place: int, row: SeenRow, weight: float) -> None:
        line, column = divmod(place, ACROSS)
        field = Gtk.SpinButton.new_with_range(LEAST_WEIGHT, MOST_WEIGHT, WEIGHT_STEP)
        field.set_value(weight)
        field.set_tooltip_text(WEIGHT_HELP)
        field.connect("value-changed", lambda *_: self._changed())
        label = Gtk.Label(label=seen_list.short_name(row).partition("\n")[0])
        label.set_mnemonic_widget(field)
        for offset, widget in enumerate((label, field)):
            self.widget.attach(widget, 2 * column + offset, line, 1, 1)
            widget.show()
        self._fields[row.address] = field
