"""A button that shows a look, with a line of text below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dreamlink.picture import Picture
from dreamlink.session.exploring.nine_cells import LOOK_HELP
from dreamlink.wire.messages import Frame

from ...qt.guard import guarded, log
from ...qt.qt import QtCore, QtGui, QtWidgets
from .fields import tool_tip

LEAST = 96  # pixels of a side
GAP = 4  # pixels around the picture
FRAME = 3  # pixels: what marks the middle
_Key = QtCore.Qt.Key
ARROWS = (_Key.Key_Left, _Key.Key_Right, _Key.Key_Up, _Key.Key_Down)


class LookCell(QtWidgets.QAbstractButton):  # type: ignore[misc]
    """As large as there is room; the picture keeps its proportions.

    Attributes:
        image: the look, a QImage; or None.
        caption: the line below it. Not the button's own text, into which KDE writes mnemonics.
    """

    def __init__(self, name: str, side: int, used: Callable[[], None], marked: bool) -> None:
        """`side` is what it would like to have, in pixels; `used` is called at a double click.

        The cell in the middle is `marked` by a frame.
        """
        super().__init__()
        self.setObjectName(name)
        self.image: Any = None
        self.caption = ""
        self._side = side
        self._used = guarded(used, log.error)
        self._marked = marked
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        policy = QtWidgets.QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)

    def show_look(self, caption: str, picture: tuple[Picture, Frame] | None, tip: str) -> None:
        """Show a look, or none; `tip` says more than there is room for."""
        self.caption = caption
        self.setAccessibleName(caption)
        self.setToolTip(tool_tip(tip or LOOK_HELP))
        self.image = None
        if picture is not None:
            layout, frame = picture
            kind = QtGui.QImage.Format.Format_RGB888
            line = layout.nbytes // layout.height
            image = QtGui.QImage(bytes(frame), layout.width, layout.height, line, kind)
            self.image = image.copy()
        self.update()

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """The arrows are for the window: Qt would go to the next button in the order of Tab."""
        if event.key() in ARROWS:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def mouseDoubleClickEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """The first click has made it the middle; the second one uses it."""
        event.accept()
        self._used()

    def sizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        return QtCore.QSize(self._side, self._side * 3 // 4)

    def minimumSizeHint(self) -> Any:  # noqa: N802 (Qt's name)
        return QtCore.QSize(LEAST, LEAST)

    def paintEvent(self, _event: Any) -> None:  # noqa: N802 (Qt's name)
        guarded(self._paint, log.error)()

    def enterEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().leaveEvent(event)
        self.update()

    def _paint(self) -> None:
        painter = QtGui.QPainter(self)
        palette, line = self.palette(), self.fontMetrics().lineSpacing()
        within = self.rect().adjusted(GAP, GAP, -GAP, -GAP)
        room = within.adjusted(0, 0, 0, -line - GAP)
        place = self._place(room)
        if self.image is None:
            painter.fillRect(place, palette.color(QtGui.QPalette.ColorRole.Mid))
        else:
            painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(place, self.image)
        self._frame(painter, place)
        below = QtCore.QRect(within.left(), place.bottom() + GAP, within.width(), line + GAP)
        elide = QtCore.Qt.TextElideMode.ElideRight
        text = self.fontMetrics().elidedText(self.caption, elide, below.width())
        painter.setPen(palette.color(QtGui.QPalette.ColorRole.WindowText))
        painter.drawText(below, QtCore.Qt.AlignmentFlag.AlignHCenter, text)
        painter.end()

    def _place(self, room: Any) -> Any:
        """Where the picture lies: in the middle of its room, or all of it while there is none."""
        if self.image is None:
            return room
        keep = QtCore.Qt.AspectRatioMode.KeepAspectRatio
        place = QtCore.QRect(QtCore.QPoint(0, 0), self.image.size().scaled(room.size(), keep))
        place.moveCenter(room.center())
        return place

    def _frame(self, painter: Any, place: Any) -> None:
        """A frame around the middle, and around the cell under the mouse or with the focus."""
        active = self.hasFocus() or self.underMouse() or self.isDown()
        if not (active or self._marked):
            return
        role = QtGui.QPalette.ColorRole
        colour = self.palette().color(role.Highlight if active else role.WindowText)
        pen = QtGui.QPen(colour, FRAME)
        pen.setJoinStyle(QtCore.Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRect(place)
