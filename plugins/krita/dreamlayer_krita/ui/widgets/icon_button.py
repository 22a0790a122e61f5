"""A small button with one of Krita's icons, which follow Krita's theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krita import Krita

from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtCore, QtWidgets


class IconButton(QtWidgets.QToolButton):  # type: ignore[misc]
    """The Tab key reaches it; it is as high as a line of text."""

    def __init__(self, name: str, icon: str, tip: str, action: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tr(tip))
        self.setAccessibleName(tr(tip))
        self.setAutoRaise(True)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.clicked.connect(guarded(lambda *_: action(), log.error))
        self.setIcon(Krita.instance().icon(icon))
        self._fit()

    def changeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.FontChange:
            guarded(self._fit, log.error)()

    def _fit(self) -> None:
        side = self.fontMetrics().height()
        self.setIconSize(QtCore.QSize(side, side))
