"""What is in the docker: the recipe's form, Dream and Cancel, progress and a line of text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from krita import Krita

from dreamlink.dream import State
from dreamlink.recipe import RecipeError

from . import document
from .form import Form
from .guard import guarded, log
from .job import Job
from .link import Link
from .qt import QtCore, QtWidgets

SETTINGS = ("dreamlayer", "recipe")  # group and name in Krita's own configuration


class Panel(QtWidgets.QWidget):  # type: ignore[misc]
    """Starts one dream at a time and shows how it stands.

    `announce` shows a sentence over the picture, for those who look there.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        super().__init__()
        self._announce = announce
        self._link = Link(self._fail)
        self._job: Job | None = None
        self._build()
        self._remembered()
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        for end in (notifier.applicationClosing, self.destroyed):  # the latter with its window
            end.connect(guarded(lambda *_: self._close(), log.error))

    def dream(self) -> None:
        """Dream on the active layer, or say why not; raises nothing."""
        guarded(self._start, self._fail)()

    def _start(self) -> None:
        if self._job is not None:
            self._say("A dream is under way: wait for it or cancel it first.")
            return
        try:
            recipe = self._form.recipe()
            source = document.read(recipe)
        except (RecipeError, document.DocumentError) as error:
            self._say(str(error))
            return
        self._remember(recipe.to_dict())
        self._job = Job(self._link, source, recipe, self._show)
        self._job.start()

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _build(self) -> None:
        self._form = Form()
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._form)
        area.setMinimumHeight(14 * self.fontMetrics().height())  # Krita squeezes what lets itself
        self._dream_button = self._button("Dream", "Dream on the active layer", self._start)
        self._cancel_button = self._button("Cancel", "Stop; nothing is added", self._cancel)
        self._cancel_button.setEnabled(False)
        self._bar = QtWidgets.QProgressBar()
        self._bar.setRange(0, 100)
        self._bar.setTextVisible(False)
        self._message = QtWidgets.QLabel()
        self._message.setObjectName("message")
        self._message.setWordWrap(True)
        self._message.setTextInteractionFlags(
            QtCore.Qt.TextInteractionFlag.TextSelectableByMouse  # to be quoted in a report
        )
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self._dream_button)
        buttons.addWidget(self._cancel_button)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(area, 1)
        column.addLayout(buttons)
        column.addWidget(self._bar)
        column.addWidget(self._message)

    def _button(self, text: str, tip: str, action: Callable[[], None]) -> Any:
        button = QtWidgets.QPushButton(text)
        button.setObjectName(text.lower())
        button.setToolTip(tip)
        button.clicked.connect(guarded(lambda *_: action(), self._fail))
        return button

    def _show(self, job: Job) -> None:
        """The job has moved on."""
        busy = not job.over
        if job.over:
            self._job = None
        self._dream_button.setEnabled(not busy)
        self._cancel_button.setEnabled(busy)
        self._bar.setTextVisible(busy)
        if busy and job.fraction is None:
            self._bar.setRange(0, 0)  # moves to and fro
        else:
            self._bar.setRange(0, 100)
            self._bar.setValue(round(100 * (job.fraction or 0)) if busy else 0)
        self._say(job.text, aloud=job.state in (State.DONE, State.FAILED))

    def _say(self, sentence: str, aloud: bool = True) -> None:
        self._message.setText(sentence)
        self._message.setToolTip(sentence)  # whole, where the docker is small
        if aloud:
            self._announce(sentence)

    def _fail(self, sentence: str) -> None:
        """One of our own slots failed: whatever was under way is over."""
        if self._job is not None:
            self._job.fail(sentence)
        else:
            self._say(sentence)

    def _close(self) -> None:
        """Leave no dream behind; our widgets may be gone by now."""
        job, self._job = self._job, None
        if job is not None:
            job.tell_daemon_to_stop()
        self._link.close()

    def _remember(self, recipe: dict[str, Any]) -> None:
        Krita.instance().writeSetting(*SETTINGS, json.dumps(recipe))

    def _remembered(self) -> None:
        try:
            values = json.loads(Krita.instance().readSetting(*SETTINGS, "{}"))
        except ValueError:
            return
        if isinstance(values, dict):
            self._form.show_recipe(values)
