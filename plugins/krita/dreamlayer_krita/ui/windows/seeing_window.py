"""What the networks see in the layer: kinds of things, channels and layers, to be chosen by eye."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import Frame
from dreamlink.wire.seeing import Seen, SeenClass, SeenRow

from ...document import layer_io
from ...document.reduce import crop_to_middle, reduce_source
from ...model.looking.seeing import SeeingJob
from ...model.session import Session
from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtCore, QtGui, QtWidgets
from ..widgets.fields import ignore_wheel, tool_tip
from ..widgets.text_button import text_button

# A painted dream sees all of a layer, however large it is.
WHOLE = Recipe.of({"method": "painted", "context": 256})
SIDE = 112  # pixels of a picture in the list
DARK = 160  # of 255: how dark the picture is where nothing answers
GAP = 24  # pixels between two pictures
COLUMNS, LINES = 5, 4  # of pictures that the window shows at first
TEXT_LINES = 2  # below a picture
CLASSES = 3  # that are named
NONE = "Nothing here answers more than usual."
CHOSEN = "Dreams now of {}. Choose a preset to come back."


class SeeingWindow(QtWidgets.QDialog):  # type: ignore[misc]
    """A list of pictures, strongest first: bright where the network sees it. Not modal.

    A click makes the row what is dreamed.
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
        self.setObjectName("seeing_window")
        self.setWindowTitle(tr("What it sees here"))
        self._line = QtWidgets.QLabel()
        self._line.setObjectName("seeing_line")
        self._line.setWordWrap(True)
        self._line.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._filter = self._make_filter()
        self._list = self._make_list()
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._filter)
        row.addStretch()
        row.addWidget(text_button("Look again", "Look at the active layer", "see_again", self.see))
        row.addWidget(text_button("Close", "Close this window", "see_close", self.close))
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._line)
        column.addWidget(self._list, 1)
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
        self._line.setText(_believed(seen.classes))
        self._fill()
        if not self._rows:
            self._line.setText(tr(NONE))

    def _fill(self) -> None:
        self._list.clear()
        seen, wanted = self._seen, self._filter.currentData()
        lists = (
            {"kinds": seen.kinds, "channels": seen.channels, "layers": seen.layers} if seen else {}
        )
        self._rows = [
            row
            for name, rows in lists.items()
            if wanted in ("", name)
            for row in rows
            if row.score > 0
        ]
        for row in self._rows:
            assert seen is not None
            item = QtWidgets.QListWidgetItem(self._icon(row, seen.heat_size), _short(row))
            item.setToolTip(f"{row.address}\n{row.score:.1f}")
            item.setTextAlignment(QtCore.Qt.AlignmentFlag.AlignHCenter)
            self._list.addItem(item)

    def _icon(self, row: SeenRow, size: tuple[int, int]) -> Any:
        """The picture, dark where the row does not answer."""
        small = self._picture.copy()
        shade = bytearray(4 * len(row.heat))  # black; its opacity is the fourth sample
        shade[3::4] = row.heat.translate(bytes(DARK - DARK * value // 255 for value in range(256)))
        kind = QtGui.QImage.Format.Format_ARGB32
        dark = QtGui.QImage(bytes(shade), *size, 4 * size[0], kind)
        painter = QtGui.QPainter(small)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(small.rect(), dark)
        painter.end()
        return QtGui.QIcon(QtGui.QPixmap.fromImage(small))

    def _choose(self, item: Any) -> None:
        row = self._rows[self._list.row(item)]
        self._session.show_recipe(
            {"model": row.model, "layer": row.expression, "channels": "", "start": "picture"}
        )
        self._session.say(tr(CHOSEN).format(_name(row)), aloud=False)
        self._chosen()

    def _make_list(self) -> Any:
        pictures = QtWidgets.QListWidget()
        pictures.setObjectName("seen")
        pictures.setAccessibleName(tr("What the networks see, strongest first"))
        pictures.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        pictures.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        pictures.setMovement(QtWidgets.QListView.Movement.Static)
        pictures.setWordWrap(True)
        pictures.itemClicked.connect(guarded(self._choose, self._session.say))
        pictures.itemActivated.connect(guarded(self._choose, self._session.say))
        return pictures

    def _make_filter(self) -> Any:
        box = QtWidgets.QComboBox()
        box.setObjectName("see_filter")
        box.setToolTip(tool_tip("Which of the answers are listed"))
        for text, name in (
            ("Everything", ""), ("Things", "kinds"), ("Channels", "channels"), ("Layers", "layers"),
        ):  # fmt: skip
            box.addItem(tr(text), name)
        box.currentIndexChanged.connect(guarded(lambda *_: self._fill(), log.error))
        return ignore_wheel(box)


def _image(layout: Picture, frame: Frame) -> Any:
    kind = QtGui.QImage.Format.Format_ARGB32
    return QtGui.QImage(bytes(frame), layout.width, layout.height, 4 * layout.width, kind).copy()


def _believed(classes: Iterable[SeenClass]) -> str:
    named = [f"{each.name} ({each.probability:.0%})" for each in list(classes)[:CLASSES]]
    return tr("Most like: {}").format(", ".join(named)) if named else ""


def _name(row: SeenRow) -> str:
    return row.name if "/kind:" in row.address else row.address


def _short(row: SeenRow) -> str:
    """The text below a picture."""
    model, _, inside = row.address.partition("/")
    return row.name if "/kind:" in row.address else f"{inside}\n{model}"
