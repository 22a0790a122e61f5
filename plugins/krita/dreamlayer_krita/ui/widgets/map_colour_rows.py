"""The colours of a dream map, each with a field for what is dreamed there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dreamlink.recipe.bindings import colour_text, parse_bindings
from dreamlink.recipe.errors import RecipeError

from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtCore, QtGui, QtWidgets
from .fields import tool_tip

HELP = (
    "What to dream where the map has this colour, as for the network layer: 10, 10:30, kind:dogs …"
    " Nothing is dreamed in colours without a text."
)
Colour = tuple[int, int, int]


class MapColourRows(QtWidgets.QWidget):  # type: ignore[misc]
    """Shows and edits the recipe's `bind`, a row for each colour.

    Args:
        changed: called after the user has changed a text.
        completer: the completer of the field for the network layer, or None.
    """

    def __init__(self, changed: Callable[[], None], completer: Callable[[], Any]) -> None:
        super().__init__()
        self._changed = guarded(changed, log.error)
        self._completer = completer
        self._fields: dict[Colour, Any] = {}
        self._rows = QtWidgets.QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self.setObjectName("map_colours")
        self.setVisible(False)

    @property
    def value(self) -> str:
        """The text of `bind`: colours without a text are left out."""
        texts = {colour: str(field.text()).strip() for colour, field in self._fields.items()}
        return "; ".join(f"{colour_text(colour)}={text}" for colour, text in texts.items() if text)

    def put(self, bind: str) -> None:
        """Show the colours of a recipe."""
        try:
            bindings = parse_bindings(bind)
        except RecipeError:
            return  # half typed: the fields are where it comes from
        self._fill({binding.colour: binding.expression.text.strip() for binding in bindings})

    def offer(self, colours: Iterable[Colour], first: str) -> None:
        """Show the colours that a map has; `first` is for the first, if no colour has a text."""
        known = {colour: str(field.text()).strip() for colour, field in self._fields.items()}
        texts = {colour: known.get(colour, "") for colour in colours}
        if texts and not any(texts.values()):
            texts[next(iter(texts))] = first
        self._fill(texts)

    def _fill(self, texts: Mapping[Colour, str]) -> None:
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self._fields = {colour: self._add_row(colour, text) for colour, text in texts.items()}
        self.setVisible(bool(texts))

    def _add_row(self, colour: Colour, text: str) -> Any:
        field = QtWidgets.QLineEdit(text)
        field.setObjectName(f"map_{colour_text(colour)[1:]}")
        field.setAccessibleName(tr("What to dream in {colour}").format(colour=colour_text(colour)))
        field.setToolTip(tool_tip(HELP))
        field.setPlaceholderText(tr("nothing"))
        offered = self._completer()
        if offered is not None:
            own = QtWidgets.QCompleter(offered.model(), field)
            own.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
            own.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
            field.setCompleter(own)
        field.textChanged.connect(lambda _: self._changed())
        swatch = QtWidgets.QLabel()
        side = self.fontMetrics().height()
        pixels = QtGui.QPixmap(2 * side, side)
        pixels.fill(QtGui.QColor(*colour))
        swatch.setPixmap(pixels)
        swatch.setToolTip(colour_text(colour))
        self._rows.addRow(swatch, field)
        return field
