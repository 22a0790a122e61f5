"""A paragraph that also breaks within paths and names of files."""

from __future__ import annotations

import re

from ...qt.qt import QtCore, QtWidgets

BREAK = "\u200b"  # a space without width
AFTER = re.compile(r"([/\\._=+-])(?=\w)")


class BreakingLabel(QtWidgets.QLabel):  # type: ignore[misc]
    """Does not widen its place, as a long word would do; `whole` is the text as it was set."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.whole = ""
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)

    def show_text(self, text: str) -> None:
        """Set the text."""
        if text != self.whole:
            self.whole = text
            self.setText(AFTER.sub(rf"\1{BREAK}", text))
