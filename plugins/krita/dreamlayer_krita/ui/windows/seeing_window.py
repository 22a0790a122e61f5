"""What the networks see in the layer: kinds of things, channels and layers, to be chosen by eye."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session import map_colours, seen_list
from dreamlink.session.mixing import CannotMix
from dreamlink.session.seen_list import COLUMNS, FRAME, INSET, LINES, SIDE
from dreamlink.wire.messages import Frame
from dreamlink.wire.seeing import Seen, SeenRow

from ...document import layer_io
from ...document.reduce import crop_to_middle, reduce_source
from ...model.looking.seeing import SeeingJob
from ...model.session import Session
from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtCore, QtGui, QtWidgets
from ..widgets.fields import ignore_wheel, tool_tip
from ..widgets.mix_weights import MixWeights
from ..widgets.text_button import text_button

# A painted dream sees all of a layer, however large it is.
WHOLE = Recipe.of({"method": "painted", "context": 256})
GAP = 24  # pixels between two pictures
TEXT_LINES = 2  # below a picture


class SeeingWindow(QtWidgets.QDialog):  # type: ignore[misc]
    """A list of pictures, strongest first: bright where the network sees it. Not modal.

    In the corner of each is what its row answers to. A click makes the row what is dreamed;
    several that are chosen are mixed, each with a weight.
    """

    def __init__(self, parent: Any, session: Session, chosen: Callable[[], None]) -> None:
        """`chosen` is called when the user has chosen something to dream."""
        super().__init__(parent)
        self._session = session
        self._chosen = chosen
        self._job: SeeingJob | None = None
        self._seen: Seen | None = None
        self._picture: Any = None
        self._rows: list[SeenRow] = []
        self._overruled = False  # by a dream map, as the line says
        session.recipe_values.subscribe(guarded(lambda _: self._follow_map(), log.error))
        self.setObjectName("seeing_window")
        self.setWindowTitle(tr(seen_list.TITLE))
        self._line = QtWidgets.QLabel()
        self._line.setObjectName("seeing_line")
        self._line.setWordWrap(True)
        self._line.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._filter = self._make_filter()
        self._list = self._make_list()
        self._weights = MixWeights(self._choose)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._filter)
        row.addStretch()
        row.addWidget(text_button("Look again", "Look at the active layer", "see_again", self.see))
        row.addWidget(text_button("Close", "Close this window", "see_close", self.close))
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._line)
        column.addWidget(self._list, 1)
        column.addWidget(self._weights)
        column.addLayout(row)
        self.resize(COLUMNS * (SIDE + GAP) + SIDE // 2, (LINES + 1) * SIDE)

    def open_again(self) -> None:
        """Show the window, and look at the active layer."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.see()

    def see(self) -> None:
        """Look at the selection, or at the whole active layer."""
        self._stop()
        self._seen = None
        self._fill()
        try:
            where = crop_to_middle(WHOLE, self._session.growing_target())
            source, _ = reduce_source(layer_io.read(WHOLE, where=where))
        except layer_io.DocumentError as error:
            self._line.setText(str(error))
            return
        self._take(_image(source.picture, source.pixels))
        self._job = SeeingJob(self._session.link, source, self._show, self._line.setText)
        self._job.start()

    def _take(self, picture: Any) -> None:
        """Keep a small copy of the picture, whose size those in the list have."""
        smooth = QtCore.Qt.TransformationMode.SmoothTransformation
        keep = QtCore.Qt.AspectRatioMode.KeepAspectRatio
        self._picture = picture.scaled(SIDE, SIDE, keep, smooth)
        size = self._picture.size()
        text = TEXT_LINES * self._list.fontMetrics().lineSpacing()
        self._list.setIconSize(size)
        self._list.setGridSize(QtCore.QSize(SIDE + GAP, size.height() + text + GAP // 2))

    def closeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().closeEvent(event)
        guarded(self._stop, log.error)()

    def _stop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.stop()

    def _show(self, seen: Seen) -> None:
        self._seen = seen
        self._fill()
        self._tell(seen)

    def _tell(self, seen: Seen) -> None:
        """Say what the layer is most like, and what a choice does."""
        believed = seen_list.classes(seen)
        most_like = [tr(seen_list.MOST_LIKE).format(believed)] if believed else []
        self._overruled = self._session.has_bindings
        help_text = map_colours.DECIDES if self._overruled else seen_list.HELP
        text = "\n".join([*most_like, tr(help_text)])
        self._line.setText(text if self._rows else tr(seen_list.NONE))

    def _follow_map(self) -> None:
        """A dream map was chosen or removed meanwhile: then a choice does something else."""
        if self._seen is not None and self._session.has_bindings != self._overruled:
            self._tell(self._seen)

    def _fill(self) -> None:
        self._list.clear()
        self._weights.offer([])
        seen = self._seen
        self._rows = seen_list.rows(seen, self._filter.currentData())
        for row in self._rows:
            assert seen is not None
            icon = self._icon(row, seen)
            item = QtWidgets.QListWidgetItem(icon, seen_list.short_name(row))
            item.setToolTip(seen_list.details(row))
            item.setTextAlignment(QtCore.Qt.AlignmentFlag.AlignHCenter)
            self._list.addItem(item)

    def _icon(self, row: SeenRow, seen: Seen) -> Any:
        """The picture, dark where the row does not answer, and what it answers to."""
        small = self._picture.copy()
        size, kind = seen.heat_size, QtGui.QImage.Format
        shade = seen_list.shade(row.heat)
        dark = QtGui.QImage(shade, *size, 4 * size[0], kind.Format_ARGB32)
        painter = QtGui.QPainter(small)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(small.rect(), dark)
        if row.thumbnail:
            side = seen.thumbnail_side
            place = QtCore.QRect(small.width() - INSET, small.height() - INSET, INSET, INSET)
            painter.fillRect(place, QtCore.Qt.GlobalColor.white)
            inside = place.adjusted(FRAME, FRAME, -FRAME, -FRAME)
            thumbnail = QtGui.QImage(row.thumbnail, side, side, 3 * side, kind.Format_RGB888)
            painter.drawImage(inside, thumbnail)
        painter.end()
        return QtGui.QIcon(QtGui.QPixmap.fromImage(small))

    def _on_selection(self) -> None:
        self._weights.offer([self._rows[self._list.row(i)] for i in self._list.selectedItems()])
        self._choose()

    def _choose(self) -> None:
        parts = self._weights.parts
        if not parts:
            return
        try:
            values = seen_list.chosen(parts)
        except CannotMix as error:
            self._line.setText(str(error))
            return
        self._session.show_recipe(values)
        overruled = self._session.has_bindings
        text = tr(map_colours.OVERRULED if overruled else seen_list.CHOSEN)
        text = text.format(seen_list.names(parts))
        if overruled:
            self._line.setText(text)
        self._session.say(text, aloud=False)
        self._chosen()

    def _make_list(self) -> Any:
        pictures = QtWidgets.QListWidget()
        pictures.setObjectName("seen")
        pictures.setAccessibleName(tr("What the networks see, strongest first"))
        pictures.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        pictures.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        pictures.setMovement(QtWidgets.QListView.Movement.Static)
        pictures.setWordWrap(True)
        pictures.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        pictures.itemSelectionChanged.connect(guarded(self._on_selection, self._session.say))
        return pictures

    def _make_filter(self) -> Any:
        box = QtWidgets.QComboBox()
        box.setObjectName("see_filter")
        box.setToolTip(tool_tip(seen_list.FILTER_HELP))
        for text, name in seen_list.FILTERS:
            box.addItem(tr(text), name)
        box.currentIndexChanged.connect(guarded(lambda *_: self._fill(), log.error))
        return ignore_wheel(box)


def _image(layout: Picture, frame: Frame) -> Any:
    kind = QtGui.QImage.Format.Format_ARGB32
    return QtGui.QImage(bytes(frame), layout.width, layout.height, 4 * layout.width, kind).copy()
