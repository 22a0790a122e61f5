"""A line of text that is shortened with … where it does not fit."""

from __future__ import annotations

from typing import Any

from ...qt.qt import QtCore, QtWidgets


class ElidedLabel(QtWidgets.QLabel):  # type: ignore[misc]
    """Never wider than its place; `whole` is the complete text."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = ""
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)  # it may contain a layer's name
        policies = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policies.Ignored, policies.Fixed)

    def show_text(self, text: str) -> None:
        """Set the text; the tool tip shows all of it."""
        self.whole = text
        self._fit()

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        end = QtCore.Qt.TextElideMode.ElideRight
        self.setText(self.fontMetrics().elidedText(self.whole, end, self.width()))
        self.setToolTip(self.whole)
