"""What is in the docker: a column of boxes, and the dreams that are under way.

Other parts of the plug-in hook in through the public methods of `Panel` only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from krita import Krita

from dreamlink.dream import State
from dreamlink.recipe import Recipe, RecipeError

from . import document
from .form import Form
from .guard import guarded, log
from .job import Dreamed, Job
from .link import Link
from .qt import QtCore, QtWidgets

SETTINGS = ("dreamlayer", "recipe")  # group and name in Krita's own configuration


class Panel(QtWidgets.QWidget):  # type: ignore[misc]
    """Starts dreams and shows how they stand.

    `announce` shows a sentence over the picture, for those who look there.

    Attributes:
        link: the connection to the daemon, for whoever listens.
        jobs: the dreams under way, in the order in which they were started.
        look_box, layer_box: columns for a quick look and for the finished layer's sliders.
        changed: called when the form says something else.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        super().__init__()
        self._announce = announce
        self.link = Link(self.say)
        self.jobs: list[Job] = []
        self.changed: list[Callable[[], None]] = []
        self._finished: list[Callable[[Dreamed], None]] = []
        self._build()
        self._remembered()
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        for end in (notifier.applicationClosing, self.destroyed):  # the latter with its window
            end.connect(guarded(lambda *_: self._close(), log.error))

    def recipe(self) -> Recipe:
        """What the form says; raises RecipeError."""
        return self._form.recipe()

    def show_recipe(self, recipe: Recipe | Mapping[str, object]) -> None:
        """Put a recipe into the form."""
        self._form.show_recipe(recipe.to_dict() if isinstance(recipe, Recipe) else recipe)

    def read(self, recipe: Recipe) -> document.Source:
        """The active layer's pixels, as the form's pickers say; raises DocumentError."""
        return document.read(recipe)

    def dream(self) -> None:
        """Dream on the active layer, or say why not; raises nothing."""
        guarded(self._dream, self.say)()

    def start(self, source: document.Source, recipe: Recipe, **options: Any) -> Job:
        """Dream on a source; `options` are those of `Job`.

        It waits for the dreams that were started before it.
        """
        told = options.pop("finished", None)

        def finished(dreamed: Dreamed) -> None:
            for hear in [*([told] if told else []), *self._finished]:
                guarded(hear, self.say)(dreamed)

        job = Job(self.link, source, recipe, self._show, finished, **options)
        self.jobs.append(job)
        job.start()
        return job

    def on_finished(self, hear: Callable[[Dreamed], None]) -> None:
        """`hear` is called with each dream that has come into a document."""
        self._finished.append(hear)

    def say(self, sentence: str, aloud: bool = True) -> None:
        """Show a sentence; aloud: over the picture too."""
        self._message.setText(sentence)
        self._message.setToolTip(sentence)  # whole, where the docker is small
        if aloud:
            self._announce(sentence)

    def _dream(self) -> None:
        try:
            recipe = self.recipe()
            source = self.read(recipe)
        except (RecipeError, document.DocumentError) as error:
            self.say(str(error))
            return
        self._remember(recipe.to_dict())
        self.start(source, recipe)

    def _cancel(self) -> None:
        if self.jobs:
            self.jobs[0].cancel()

    def _build(self) -> None:
        self._form = Form(self._tell_change)
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._form)
        area.setMinimumHeight(14 * self.fontMetrics().height())  # Krita squeezes what lets itself
        self._dream_button = self._button("Dream", "Dream on the active layer", self._dream)
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
        self.look_box = QtWidgets.QVBoxLayout()
        self.layer_box = QtWidgets.QVBoxLayout()
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self._dream_button)
        buttons.addWidget(self._cancel_button)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(area, 1)
        column.addLayout(self.look_box)
        column.addLayout(buttons)
        column.addWidget(self._bar)
        column.addLayout(self.layer_box)
        column.addWidget(self._message)

    def _button(self, text: str, tip: str, action: Callable[[], None]) -> Any:
        button = QtWidgets.QPushButton(text)
        button.setObjectName(text.lower())
        button.setToolTip(tip)
        button.clicked.connect(guarded(lambda *_: action(), self.say))
        return button

    def _tell_change(self) -> None:
        for hear in self.changed:
            guarded(hear, self.say)()

    def _show(self, job: Job) -> None:
        """A job has moved on."""
        if job.over:
            self.jobs.remove(job)
        busy = bool(self.jobs)
        self._cancel_button.setEnabled(busy)
        self._bar.setTextVisible(busy)
        first = self.jobs[0] if busy else job
        if busy and first.fraction is None:
            self._bar.setRange(0, 0)  # moves to and fro
        else:
            self._bar.setRange(0, 100)
            self._bar.setValue(round(100 * (first.fraction or 0)) if busy else 0)
        if job.over or job is first:
            self.say(job.text, aloud=job.state in (State.DONE, State.FAILED))

    def _close(self) -> None:
        """Leave no dream behind; our widgets may be gone by now."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job.tell_daemon_to_stop()
        self.link.close()

    def _remember(self, recipe: dict[str, Any]) -> None:
        Krita.instance().writeSetting(*SETTINGS, json.dumps(recipe))

    def _remembered(self) -> None:
        try:
            values = json.loads(Krita.instance().readSetting(*SETTINGS, "{}"))
        except ValueError:
            return
        if isinstance(values, dict):
            self.show_recipe(values)
