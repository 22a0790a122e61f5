"""What is chosen to be dreamed at once, each with its weight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dreamlink.session import seen_list
from dreamlink.session.mixing import LEAST_WEIGHT, MOST_WEIGHT, WEIGHT_HELP, WEIGHT_STEP
from dreamlink.wire.seeing import SeenRow

from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtWidgets
from .fields import ignore_wheel, tool_tip

ACROSS = 4  # weights in a line


class MixWeights(QtWidgets.QWidget):  # type: ignore[misc]
    """A weight for each of several rows; hidden if there are fewer than two.

    A row keeps its weight while it stays chosen.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called after the user has changed a weight."""
        super().__init__()
        self._changed = guarded(lambda *_: changed(), log.error)
        self._rows: list[SeenRow] = []
        self._fields: dict[str, Any] = {}  # by address
        self._grid = QtWidgets.QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(2 * ACROSS, 1)
        self.setObjectName("mix_weights")
        self.setVisible(False)

    @property
    def parts(self) -> list[tuple[SeenRow, float]]:
        """The rows with their weights."""
        return [(row, self._weight(row)) for row in self._rows]

    def offer(self, rows: Iterable[SeenRow]) -> None:
        """Show these rows."""
        self._rows = list(rows)
        weights = {address: field.value() for address, field in self._fields.items()}
        while self._grid.count():
            self._grid.takeAt(0).widget().deleteLater()
        self._fields = {}
        several = len(self._rows) > 1
        for place, row in enumerate(self._rows if several else []):
            self._add(place, row, weights.get(row.address, 1.0))
        self.setVisible(several)

    def _weight(self, row: SeenRow) -> float:
        field = self._fields.get(row.address)
        return 1.0 if field is None else float(field.value())

    def _add(self, place: int, row: SeenRow, weight: float) -> None:
        line, column = divmod(place, ACROSS)
        field = QtWidgets.QDoubleSpinBox()
        field.setObjectName(f"weight_{place}")
        field.setRange(LEAST_WEIGHT, MOST_WEIGHT)
        field.setSingleStep(WEIGHT_STEP)
        field.setDecimals(1)
        field.setValue(weight)
        field.setToolTip(tool_tip(WEIGHT_HELP))
        field.valueChanged.connect(self._changed)
        label = QtWidgets.QLabel(seen_list.short_name(row).partition("\n")[0])
        label.setBuddy(field)
        field.setAccessibleName(tr("Weight of {}").format(seen_list.name(row)))
        self._grid.addWidget(label, line, 2 * column)
        self._grid.addWidget(ignore_wheel(field), line, 2 * column + 1)
        self._fields[row.address] = field
