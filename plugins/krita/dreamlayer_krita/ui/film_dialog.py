"""The window for a film's settings; the recipe is the one in the docker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from krita import Krita

from dreamlink.recipe.recipe import RecipeError
from dreamlink.session.film_options import COUNT_MAX, DIVE, FRAMES, TIME_MAX
from dreamlink.wire.messages import ZOOM_MAX

from ..document.errors import DocumentError
from ..model import film_frames
from ..model.editing import RepeatedFilm
from ..model.film_options import FilmChoice, start_film
from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .widgets.fields import ignore_wheel, tool_tip


def open_on_request(session: Session, parent: Any) -> None:
    """Show the window when the session requests a film; `parent` is the widget that owns it."""

    def show(repeated: RepeatedFilm | None) -> None:
        dialog = parent.findChild(FilmDialog) or FilmDialog(session, parent)
        dialog.refresh(repeated)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    session.film_requested.subscribe(show)


class FilmDialog(QtWidgets.QDialog):  # type: ignore[misc]
    """Not modal; the docker shows the film's progress."""

    def __init__(self, session: Session, parent: Any) -> None:
        super().__init__(parent)
        self._session = session
        self._repeated: RepeatedFilm | None = None
        self.setObjectName("film")
        self.setWindowTitle(tr("Deep Dream Animation"))
        self._frames = self._radio(
            FRAMES,
            "Every frame of the active layer",
            "Dream on each frame of an animated layer; the dreams become a new animated layer",
        )
        self._dive = self._radio(
            DIVE,
            "A dive into the active layer",
            "Each frame is the previous one, enlarged and dreamed on again",
        )
        self._first = self._number("first", 0, TIME_MAX, "The first frame of the film")
        self._last = self._number("last", 0, TIME_MAX, "The last frame to dream on")
        self._carry = self._fraction(
            "carry", 0.0, 1.0,
            "How much of the previous frame's dream each frame starts from, so that the film does"
            " not flicker: 0 nothing, 1 all, so the first frame's dream never changes",
        )  # fmt: skip
        self._count = self._number("count", 2, COUNT_MAX, "The number of frames")
        self._zoom = self._fraction(
            "zoom", 1.0, ZOOM_MAX, "How many times larger the picture becomes from frame to frame"
        )
        self._message = QtWidgets.QLabel()
        self._message.setObjectName("film_message")
        self._message.setWordWrap(True)
        self._message.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._build()
        self.show_choice(FilmChoice())

    def refresh(self, repeated: RepeatedFilm | None = None) -> None:
        """Offer the active layer's frames, or a dive; or show the settings of a film."""
        self._repeated = repeated
        self._message.setText("")
        if repeated is not None and repeated.stored.film is not None:
            choice = FilmChoice.of(repeated.stored.film)
            self.show_choice(choice)
            self._frames.setEnabled(choice.kind == FRAMES)
            return
        active = Krita.instance().activeDocument()
        node = active.activeNode() if active is not None else None
        times = film_frames.frame_times(active, node)
        if times:
            self.show_choice(replace(self.choice(), kind=FRAMES, first=times[0], last=times[-1]))
        else:
            now = active.currentTime() if active is not None else 0
            self.show_choice(replace(self.choice(), kind=DIVE, first=now, last=now))
        self._frames.setEnabled(bool(times))

    def choice(self) -> FilmChoice:
        return FilmChoice(
            kind=FRAMES if self._frames.isChecked() else DIVE,
            first=self._first.value(),
            last=self._last.value(),
            carry=self._carry.value(),
            count=self._count.value(),
            zoom=self._zoom.value(),
        )

    def show_choice(self, choice: FilmChoice) -> None:
        """Show these settings."""
        (self._frames if choice.kind == FRAMES else self._dive).setChecked(True)
        self._first.setValue(choice.first)
        self._last.setValue(choice.last)
        self._carry.setValue(choice.carry)
        self._count.setValue(choice.count)
        self._zoom.setValue(choice.zoom)
        self._enable()

    def _dream(self) -> None:
        try:
            start_film(self._session, self._session.recipe(), self.choice(), self._repeated)
        except (DocumentError, RecipeError) as error:
            self._message.setText(str(error))
        else:
            self.hide()

    def _enable(self) -> None:
        layer = self._frames.isChecked()
        for field in (self._last, self._carry):
            field.setEnabled(layer)
        for field in (self._count, self._zoom):
            field.setEnabled(not layer)

    def _build(self) -> None:
        rows = QtWidgets.QFormLayout()
        for text, field in (
            ("First frame", self._first),
            ("Last frame", self._last),
            ("Carried over", self._carry),
            ("Frames", self._count),
            ("Zoom", self._zoom),
        ):
            label = QtWidgets.QLabel(tr(text))
            label.setBuddy(field)
            label.setToolTip(field.toolTip())
            rows.addRow(label, field)
        dream = QtWidgets.QPushButton(tr("Dream"))
        dream.setObjectName("dream_film")
        dream.setDefault(True)
        dream.setToolTip(tool_tip("Dream the film with the settings in the docker"))
        dream.clicked.connect(guarded(lambda *_: self._dream(), self._session.say))
        close = QtWidgets.QPushButton(tr("Close"))
        close.clicked.connect(guarded(lambda *_: self.hide(), log.error))
        buttons = QtWidgets.QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(dream)
        buttons.addWidget(close)
        note = QtWidgets.QLabel(tr("All frames use the settings in the docker and the same seed."))
        note.setWordWrap(True)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._frames)
        column.addWidget(self._dive)
        column.addLayout(rows)
        column.addWidget(note)
        column.addWidget(self._message)
        column.addLayout(buttons)

    def _radio(self, name: str, text: str, help_text: str) -> Any:
        button = QtWidgets.QRadioButton(tr(text))
        button.setObjectName(name)
        button.setToolTip(tool_tip(help_text))
        button.toggled.connect(guarded(lambda *_: self._enable(), log.error))
        return button

    def _number(self, name: str, low: int, high: int, help_text: str) -> Any:
        return _field(QtWidgets.QSpinBox(), name, low, high, help_text)

    def _fraction(self, name: str, low: float, high: float, help_text: str) -> Any:
        field = QtWidgets.QDoubleSpinBox()
        field.setSingleStep(0.01 if low else 0.05)
        return _field(field, name, low, high, help_text)


def _field(field: Any, name: str, low: float, high: float, help_text: str) -> Any:
    field.setObjectName(name)
    field.setRange(low, high)
    field.setToolTip(tool_tip(help_text))
    return ignore_wheel(field)
