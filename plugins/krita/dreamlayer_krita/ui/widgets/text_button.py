"""A button with a text, for the windows of the plug-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtWidgets


def text_button(text: str, tip: str, name: str, action: Callable[[], Any]) -> Any:
    """A button that the Return key elsewhere in its window does not press."""
    button = QtWidgets.QPushButton(tr(text))
    button.setObjectName(name)
    button.setToolTip(tr(tip))
    button.setAutoDefault(False)
    button.clicked.connect(guarded(lambda *_: action(), log.error))
    return button
