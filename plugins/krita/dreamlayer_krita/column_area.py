"""A column that is scrolled through from top to bottom, never from side to side."""

from __future__ import annotations

from typing import Any

from .qt import QtCore, QtWidgets


class ColumnArea(QtWidgets.QScrollArea):  # type: ignore[misc]
    """As wide as what is in it needs to be, and at least `lines` of text high."""

    def __init__(self, inside: Any, lines: int = 0) -> None:
        super().__init__()
        self._lines = lines
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # what is in it has it
        self.setWidget(inside)

    def minimumSizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        width = (
            self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        )
        return QtCore.QSize(width, self._lines * self.fontMetrics().height())
