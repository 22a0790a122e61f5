"""Columns that scroll vertically, never horizontally.

A docker must fit on a small screen whatever it contains, or Krita's window would become higher than
the screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...qt.guard import guarded, log
from ...qt.qt import QtCore, QtWidgets


class ScrollColumn(QtWidgets.QScrollArea):  # type: ignore[misc]
    """As wide as its content, and at least `lines` lines of text high."""

    def __init__(self, inside: Any, lines: int) -> None:
        super().__init__()
        self._lines = lines
        self._shown: Any = None
        self._watch = _Watch(self)
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # its content has it
        self.setWidget(inside)
        inside.installEventFilter(self._watch)

    def minimumSizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        inside, bar = self.widget().minimumSizeHint(), self.verticalScrollBar().sizeHint()
        height = self._lines * self.fontMetrics().height()
        return QtCore.QSize(inside.width() + bar.width(), height)

    def follow(self, widgets: Iterable[Any]) -> None:
        """Scroll to one of these widgets whenever it is shown."""
        for widget in widgets:
            widget.installEventFilter(self._watch)

    def reveal_soon(self, widget: Any) -> None:
        """Scroll to a widget once it has been laid out."""
        self._shown = widget
        QtCore.QTimer.singleShot(0, self._reveal)

    def _reveal(self) -> None:
        guarded(self.ensureWidgetVisible, log.error)(self._shown, 0, 0)
        self.horizontalScrollBar().setValue(0)


class LimitedScrollColumn(ScrollColumn):
    """As high as its content, up to `most` lines; `lines` where there is little room."""

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
            self.updateGeometry()  # its lines wrap differently

    def _limited(self, lines: int) -> Any:
        inside = self.widget()
        wanted = inside.sizeHint().height()
        if inside.hasHeightForWidth():
            wanted = inside.heightForWidth(self.viewport().width())
        most = lines * self.fontMetrics().lineSpacing()
        return QtCore.QSize(super().minimumSizeHint().width(), min(wanted, most))


class _Watch(QtCore.QObject):  # type: ignore[misc]
    """Tells a column when one of its widgets is shown or needs another size."""

    def __init__(self, area: ScrollColumn) -> None:
        super().__init__(area)
        self._area = area

    def eventFilter(self, widget: Any, event: Any) -> bool:  # noqa: N802 (Qt's name)
        if event.type() == QtCore.QEvent.Type.ShowToParent:
            guarded(self._area.reveal_soon, log.error)(widget)
        elif event.type() == QtCore.QEvent.Type.LayoutRequest:
            guarded(self._area.updateGeometry, log.error)()
        return False
