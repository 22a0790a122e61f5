"""The docker's content: a column of boxes, each of which works on the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krita import Krita

from ..document.replaced import replaced_layers
from ..model import installing
from ..model.session import Message, RunningJob, Session
from ..qt.connection import Link
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from . import film_dialog
from .completions import Completions
from .connection_line import ConnectionLine
from .dreamed_layer_box import DreamedLayerBox
from .install_box import InstallBox
from .live_parameters import LiveParametersBox
from .message_area import MessageArea
from .queue_box import QueueBox
from .quick_look_box import QuickLookBox
from .recipe_form import RecipeForm
from .widgets.scroll_column import ScrollColumn
from .widgets.tab_order import set_tab_order
from .windows.explore_window import ExploreWindow
from .windows.seeing_window import SeeingWindow

FOLLOW = 40  # milliseconds until a layer is shown again whose dream was undone
LINES_MIN = 8  # of text: the form's smallest height


def open_panel(announce: Callable[[str], None]) -> Panel:
    """A panel with a session and a connection of its own.

    `announce` shows a sentence over the picture, for users who look there.
    """
    session = Session(Link, lambda call: QtCore.QTimer.singleShot(0, call))
    panel = Panel(session)

    def show(message: Message) -> None:
        if message.text and message.aloud:
            announce(message.text)

    session.message.subscribe(show)
    session.restore_recipe()
    timer = QtCore.QTimer(panel)  # Krita has no signal for undo and redo
    timer.timeout.connect(guarded(replaced_layers.follow, log.error))
    timer.start(FOLLOW)
    notifier = Krita.instance().notifier()
    notifier.setActive(True)
    for end in (notifier.applicationClosing, panel.destroyed):  # the latter when its window closes
        end.connect(guarded(lambda *_: session.close(), log.error))
    notifier.applicationClosing.connect(
        guarded(lambda *_: installing.setup_run.cancel(), log.error)
    )
    return panel


class Panel(QtWidgets.QWidget):  # type: ignore[misc]
    """Lays out the boxes.

    Attributes:
        session: the state that the boxes show.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        form = RecipeForm(session)
        self._look = QuickLookBox(session)
        self._completions = Completions(session, form.widget("model"), form.widget("layer"))
        film_dialog.open_on_request(session, self)
        layer_boxes = [DreamedLayerBox(session), LiveParametersBox(session)]
        buttons = QtWidgets.QVBoxLayout()
        self._seeing = SeeingWindow(self, session, lambda: self._look.button.setChecked(True))
        see = self._button(
            "see",
            "What it sees…",
            "What the networks see in the layer or selection, to choose what to dream by eye",
            self._seeing.open_again,
        )
        looks = QtWidgets.QHBoxLayout()
        looks.addWidget(self._look.button)
        looks.addWidget(see)
        self._explore = ExploreWindow(self, session)
        looks.addWidget(
            self._button(
                "explore",
                "Explore…",
                "Nine looks at the layer: these settings and others near them, to choose by eye",
                self._explore.open_again,
            )
        )
        buttons.addLayout(looks)
        buttons.addLayout(self._dream_and_cancel())
        connection = ConnectionLine(session)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(InstallBox(session, connection.start_daemon))
        column.addWidget(_scrolled(self._look.widgets, form, layer_boxes), 1)
        column.addLayout(buttons)
        for widget in (QueueBox(session), MessageArea(session), connection):
            column.addWidget(widget)

    def showEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().showEvent(event)
        guarded(set_tab_order, log.error)(self)  # now that every widget is in its layout

    def _dream_and_cancel(self) -> Any:
        session = self.session
        dream = self._button("dream", "Dream", "Dream on the active layer", session.dream)
        cancel = self._button(
            "cancel", "Cancel", "Stop the current dream; nothing is added", session.cancel
        )
        cancel.setEnabled(False)

        def enable(jobs: list[RunningJob]) -> None:
            cancel.setEnabled(bool(jobs))

        session.jobs.subscribe(enable)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(dream)
        row.addWidget(cancel)
        return row

    def _button(self, name: str, text: str, tip: str, action: Callable[[], None]) -> Any:
        button = QtWidgets.QPushButton(tr(text))
        button.setObjectName(name)
        button.setToolTip(tr(tip))
        button.clicked.connect(guarded(lambda *_: action(), self.session.say))
        return button


def _scrolled(looks: list[Any], form: RecipeForm, layer_boxes: list[Any]) -> Any:
    """The widgets that may be as high as they like, in a column that scrolls."""
    inside = QtWidgets.QWidget()
    column = QtWidgets.QVBoxLayout(inside)
    column.setContentsMargins(0, 0, 0, 0)
    for widgets in (looks, [form], layer_boxes):
        group = QtWidgets.QVBoxLayout()
        for widget in widgets:
            group.addWidget(widget)
        column.addLayout(group)
    column.addStretch()
    area = ScrollColumn(inside, LINES_MIN)
    area.follow([*looks, *layer_boxes])
    return area
