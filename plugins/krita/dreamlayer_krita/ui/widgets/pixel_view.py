"""Shows raw pixels as a small picture in the docker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dreamlink.picture import Picture
from dreamlink.wire.messages import Frame

from ...qt.guard import guarded, log
from ...qt.qt import QtCore, QtGui, QtWidgets

LINES_MIN = 6  # of text


class PixelView(QtWidgets.QWidget):  # type: ignore[misc]
    """As wide as the docker, and no higher than wide; hidden while it has no picture.

    Where there is little room it shrinks, down to the height of a few lines.

    Attributes:
        clicked: functions that are called when the mouse is pressed on it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clicked: list[Callable[[], None]] = []
        self._pixmap: Any = None
        policies = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policies.Ignored, policies.Maximum)
        self.setVisible(False)

    def show_pixels(self, layout: Picture, frame: Frame) -> None:
        """Show 8-bit pixels in the order RGB or BGRA."""
        formats = QtGui.QImage.Format
        kind = formats.Format_RGB888 if layout.order == "RGB" else formats.Format_ARGB32
        line = layout.nbytes // layout.height
        image = QtGui.QImage(bytes(frame), layout.width, layout.height, line, kind)
        self._pixmap = QtGui.QPixmap.fromImage(image)
        self.setVisible(True)
        self.updateGeometry()
        self.update()

    def clear(self) -> None:
        """Show nothing, and hide."""
        self._pixmap = None
        self.setVisible(False)

    @property
    def image(self) -> Any:
        """The picture that is shown, a QImage; or None."""
        return None if self._pixmap is None else self._pixmap.toImage()

    def mousePressEvent(self, _event: Any) -> None:  # noqa: N802 (Qt's name)
        for call in self.clicked:
            call()

    def sizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        return QtCore.QSize(1, self._size(self.width()).height())

    def minimumSizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        height = LINES_MIN * self.fontMetrics().lineSpacing()
        return QtCore.QSize(1, min(height, self.sizeHint().height()))

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def paintEvent(self, _event: Any) -> None:  # noqa: N802 (Qt's name)
        guarded(self._paint, log.error)()

    def _size(self, height: int) -> Any:
        """The picture's size at the full width, but at most `height` high."""
        if self._pixmap is None:
            return QtCore.QSize(0, 0)
        room = QtCore.QSize(self.width(), height)
        return self._pixmap.size().scaled(room, QtCore.Qt.AspectRatioMode.KeepAspectRatio)

    def _paint(self) -> None:
        if self._pixmap is None:
            return
        place = QtCore.QRect(QtCore.QPoint(0, 0), self._size(self.height()))
        place.moveCenter(self.rect().center())
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, self._pixmap)
        painter.end()
