"""What is in the docker: a column of boxes, and the dreams that are under way.

Other parts of the plug-in hook in through the public methods of `Panel` only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from krita import Krita

from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.dream import State

from ..document import document
from ..model import live_layer
from ..model.jobs import Dreamed, Job
from ..qt.connection import Link
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .completions import Suggestions
from .connection_line import ConnectionLine
from .dreamed_layer_box import StoreBox
from .live_parameters import Sliders
from .queue_box import QueueBox
from .quick_look_box import Look
from .recipe_form import Form
from .widgets.scroll_column import ColumnArea, ShortArea
from .widgets.tab_order import set_tab_order

SETTINGS = ("dreamlayer", "recipe")  # group and name in Krita's own configuration
LINES_MIN = 8  # of text, that the form keeps on a small screen
MESSAGE_LINES = (2, 8)  # of text: kept, and shown where there is room


class Panel(QtWidgets.QWidget):  # type: ignore[misc]
    """Starts dreams and shows how they stand.

    `announce` shows a sentence over the picture, for those who look there.

    Attributes:
        link: the connection to the daemon, for whoever listens.
        jobs: the dreams under way, in the order in which they were started.
        look_box, layer_box: columns for a quick look and for the finished layer's sliders.
        buttons: the column in which Dream and Cancel are the last row.
        changed: called when the form says something else.
        source_of: reads what is to be dreamed on, with the form's choices; `document.read`, unless
            the dream of another layer is edited.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        super().__init__()
        self._announce = announce
        self.link = Link(self.say, self._show_connection)
        self.jobs: list[Job] = []
        self.changed: list[Callable[[], None]] = []
        self.source_of: Callable[..., document.Source] = document.read
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

    def read(self, recipe: Recipe, where: document.Where | None = None) -> document.Source:
        """The active layer's pixels, as the form's pickers say; raises DocumentError."""
        where = where or self.where()
        return self.source_of(recipe, **self._form.choices(), where=where)

    def where(self) -> document.Where | None:
        """What is dreamed on in place of the active layer while that still grows, or None."""
        return live_layer.beneath(self.jobs) if self.source_of is document.read else None

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

        if "goal" not in options:
            so_far = self._look.so_far
            options |= live_layer.watched(source, so_far.show_pixels, so_far.clear)
        job = Job(self.link, source, recipe, self.moved, finished, **options)
        self.enqueue(job)
        return job

    def enqueue(self, job: Any) -> None:
        """Start a `Job`, or what has the same face, that tells `moved` how it stands."""
        self.jobs.append(job)
        job.start()

    def on_finished(self, hear: Callable[[Dreamed], None]) -> None:
        """`hear` is called with each dream that has come into a document."""
        self._finished.append(hear)

    def say(self, sentence: str, aloud: bool = True) -> None:
        """Show a sentence; aloud: over the picture too."""
        self._message.setText(sentence)
        self._message.setToolTip(sentence)  # whole, where the docker is small
        self._message_area.setVisible(bool(sentence))
        self._message_area.updateGeometry()
        if sentence and aloud:
            self._announce(sentence)

    def showEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().showEvent(event)
        guarded(set_tab_order, log.error)(self)  # now that all is in its place

    def _dream(self) -> None:
        try:
            recipe = self.recipe()
            source = self.read(recipe)
        except (RecipeError, document.DocumentError) as error:
            self.say(str(error))
            return
        self._remember(recipe.to_dict())
        self.say("")
        self.start(source, recipe)

    def _cancel(self) -> None:
        if self.jobs:
            self.jobs[0].cancel()

    def _build(self) -> None:
        self._form = Form(self._tell_change)
        self.look_box, self.layer_box = QtWidgets.QVBoxLayout(), QtWidgets.QVBoxLayout()
        self.buttons = QtWidgets.QVBoxLayout()
        self._look = Look(self)
        self.layer_box.addWidget(StoreBox(self))
        self.layer_box.addWidget(Sliders(self))
        self._queue = QueueBox()
        self._message = _message()
        self._message_area = ShortArea(self._message, *MESSAGE_LINES)
        self._message_area.setVisible(False)
        self._connection = ConnectionLine(self.link, self.say)
        self._suggestions = Suggestions(
            self.link, self._form.widget("model"), self._form.widget("layer")
        )
        self._cancel_button = self._button(
            "cancel", "Cancel", "Stop the dream in work; nothing is added", self._cancel
        )
        self._cancel_button.setEnabled(False)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._button("dream", "Dream", "Dream on the active layer", self._dream))
        row.addWidget(self._cancel_button)
        self.buttons.addLayout(row)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._scrolled(), 1)
        column.addLayout(self.buttons)
        for widget in (self._queue, self._message_area, self._connection):
            column.addWidget(widget)

    def _scrolled(self) -> Any:
        """The boxes that may be as high as they like."""
        inside = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self.look_box)
        column.addWidget(self._form)
        column.addLayout(self.layer_box)
        column.addStretch()
        area = ColumnArea(inside, LINES_MIN)
        for box in (self.look_box, self.layer_box):
            area.follow(box.itemAt(place).widget() for place in range(box.count()))
        return area

    def _button(self, name: str, text: str, tip: str, action: Callable[[], None]) -> Any:
        button = QtWidgets.QPushButton(tr(text))
        button.setObjectName(name)
        button.setToolTip(tr(tip))
        button.clicked.connect(guarded(lambda *_: action(), self.say))
        return button

    def _tell_change(self) -> None:
        for hear in self.changed:
            guarded(hear, self.say)()

    def moved(self, job: Any) -> None:
        """A job has moved on."""
        if job.over and job in self.jobs:
            self.jobs.remove(job)
        self._cancel_button.setEnabled(bool(self.jobs))
        self._queue.show_jobs(self.jobs)
        if job.over:
            self.say(job.text, aloud=job.state is not State.CANCELLED)

    def _show_connection(self) -> None:
        self._connection.refresh()
        self._suggestions.refresh()

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


def _message() -> Any:
    label = QtWidgets.QLabel()
    label.setObjectName("message")
    label.setWordWrap(True)
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)  # it quotes the names of layers
    label.setTextInteractionFlags(
        QtCore.Qt.TextInteractionFlag.TextSelectableByMouse  # to be quoted in a report
    )
    return label
