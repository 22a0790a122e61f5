"""Columns that are scrolled through from top to bottom, never from side to side.

A docker must fit into a small screen whatever is in it: Krita's window would become higher than
the screen otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...qt.guard import guarded, log
from ...qt.qt import QtCore, QtWidgets


class ScrollColumn(QtWidgets.QScrollArea):  # type: ignore[misc]
    """As wide as what is in it needs to be, and at least `lines` of text high."""

    def __init__(self, inside: Any, lines: int) -> None:
        super().__init__()
        self._lines = lines
        self._shown: Any = None
        self._watch = _Watch(self)
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # what is in it has it
        self.setWidget(inside)
        inside.installEventFilter(self._watch)

    def minimumSizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        inside, bar = self.widget().minimumSizeHint(), self.verticalScrollBar().sizeHint()
        height = self._lines * self.fontMetrics().height()
        return QtCore.QSize(inside.width() + bar.width(), height)

    def follow(self, widgets: Iterable[Any]) -> None:
        """Scroll to one of these parts when it comes to be shown."""
        for widget in widgets:
            widget.installEventFilter(self._watch)

    def reveal_soon(self, widget: Any) -> None:
        """Scroll to a part when it has its place."""
        self._shown = widget
        QtCore.QTimer.singleShot(0, self._reveal)

    def _reveal(self) -> None:
        guarded(self.ensureWidgetVisible, log.error)(self._shown, 0, 0)
        self.horizontalScrollBar().setValue(0)


class LimitedScrollColumn(ScrollColumn):
    """As high as what is in it, up to `most` lines; where there is little room, `lines`."""

    def __init__(self, inside: Any, lines: int, most: int) -> None:
        super().__init__(inside, lines)
        self._most = most
        policies = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policies.Preferred, policies.Maximum)

    def sizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        return self._limited(self._most)

    def minimumSizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        return self._limited(self._lines)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()  # its lines break elsewhere

    def _limited(self, lines: int) -> Any:
        inside = self.widget()
        wanted = inside.sizeHint().height()
        if inside.hasHeightForWidth():
            wanted = inside.heightForWidth(self.viewport().width())
        most = lines * self.fontMetrics().lineSpacing()
        return QtCore.QSize(super().minimumSizeHint().width(), min(wanted, most))


class _Watch(QtCore.QObject):  # type: ignore[misc]
    """Tells an area when one of its parts is shown, and when they need other room."""

    def __init__(self, area: ScrollColumn) -> None:
        super().__init__(area)
        self._area = area

    def eventFilter(self, widget: Any, event: Any) -> bool:  # noqa: N802 (Qt's name)
        if event.type() == QtCore.QEvent.Type.ShowToParent:
            guarded(self._area.reveal_soon, log.error)(widget)
        elif event.type() == QtCore.QEvent.Type.LayoutRequest:
            guarded(self._area.updateGeometry, log.error)()
        return False
