"""The last sentence for the user, below the buttons."""

from __future__ import annotations

from typing import Any

from ..model.session import Message, Session
from ..qt.qt import QtCore, QtWidgets
from .widgets.scroll_column import LimitedScrollColumn

LINES_MIN, LINES_MAX = 2, 8  # of text: kept on a small screen, and shown where there is room


class MessageArea(LimitedScrollColumn):
    """Hidden while there is nothing to say."""

    def __init__(self, session: Session) -> None:
        self._label = _label()
        super().__init__(self._label, LINES_MIN, LINES_MAX)
        self.setVisible(False)
        session.message.subscribe(self._show)

    def _show(self, message: Message) -> None:
        self._label.setText(message.text)
        self._label.setToolTip(message.text)  # the whole sentence, where the docker is small
        self.setVisible(bool(message.text))
        self.updateGeometry()


def _label() -> Any:
    label = QtWidgets.QLabel()
    label.setObjectName("message")
    label.setWordWrap(True)
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)  # it quotes the names of layers
    label.setTextInteractionFlags(
        QtCore.Qt.TextInteractionFlag.TextSelectableByMouse  # to be quoted in a report
    )
    return label
