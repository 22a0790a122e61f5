"""A small button with one of Krita's icons, which come in the theme's colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krita import Krita

from .guard import guarded, log
from .qt import QtCore, QtWidgets
from .words import tr


class IconButton(QtWidgets.QToolButton):  # type: ignore[misc]
    """It is found by the Tab key, and takes another icon with another theme."""

    def __init__(self, name: str, icon: str, tip: str, action: Callable[[], None]) -> None:
        super().__init__()
        self._icon = icon
        self.setObjectName(name)
        self.setToolTip(tr(tip))
        self.setAccessibleName(tr(tip))
        self.setAutoRaise(True)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.clicked.connect(guarded(lambda *_: action(), log.error))
        self._load()

    def changeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() in (QtCore.QEvent.Type.PaletteChange, QtCore.QEvent.Type.FontChange):
            guarded(self._load, log.error)()

    def _load(self) -> None:
        self.setIcon(Krita.instance().icon(self._icon))
        side = self.fontMetrics().height()
        self.setIconSize(QtCore.QSize(side, side))
