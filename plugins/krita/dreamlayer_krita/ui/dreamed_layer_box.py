"""Shows the seed of the active layer if it is a dream, with buttons to dream again.

Krita has no signal for a change of the active layer, so it is polled.
"""

from __future__ import annotations

from typing import Any

from krita import Krita

from dreamlink.recipe.recipe import Recipe

from ..document import dream_store
from ..document.errors import DocumentError
from ..model import repeat
from ..model.jobs import FinishedDream
from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .widgets.elided_label import ElidedLabel
from .widgets.fields import tool_tip

POLL = 400  # milliseconds


class DreamedLayerBox(QtWidgets.QWidget):  # type: ignore[misc]
    """A line with the seed, and three buttons; hidden if the active layer is not a dream."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._shown: Any = None  # the layer's id and the stored dreams, as last read
        self.setObjectName("dreamed_layer")
        self._label = ElidedLabel()
        self._label.setObjectName("dreamed_as")
        self._edit = self._button(
            "edit_dream",
            "Edit",
            "Show this layer's settings above. Then Dream uses them on the layer that this one was"
            " dreamed on, and adds a new layer above this one",
        )
        self._edit.setCheckable(True)
        self._edit.clicked.connect(guarded(self._switch_editing, session.say))
        again = self._button("dream_again", "Again", "Repeat this dream with the same settings")
        again.clicked.connect(guarded(lambda *_: repeat.dream_again(session), session.say))
        seed = self._button("new_seed", "New seed", "Repeat this dream with another seed")
        seed.clicked.connect(guarded(lambda *_: repeat.dream_with_new_seed(session), session.say))
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self._label, 0, 0, 1, 3)
        for column, button in enumerate((again, seed, self._edit)):
            grid.addWidget(button, 1, column)
        self.setVisible(False)
        session.finished.subscribe(guarded(self._store, session.say))
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(guarded(self.refresh, log.error))
        self._timer.start(POLL)

    def refresh(self) -> None:
        """Show the active layer's dream, or hide."""
        if not self.parentWidget().isVisible():
            return
        active = Krita.instance().activeDocument()
        node = active.activeNode() if active is not None else None
        editing = self._session.editing.value
        if editing is not None and not editing.is_active:
            self._session.editing.set(None)
            editing = None
        self._edit.setChecked(editing is not None)
        if node is None:
            self._shown = None
            self.setVisible(False)
            return
        current = (node.uniqueId().toString(), bytes(active.annotation(dream_store.DREAMS)))
        if current != self._shown:
            self._shown = current
            self._show(active, node)

    def _show(self, active: Any, node: Any) -> None:
        try:
            stored = dream_store.read_stored(active, node.uniqueId())
        except DocumentError as error:
            log.warning("%s", error)
            stored = None
        self.setVisible(stored is not None)
        if stored is not None:
            self._label.show_text(_title(stored.name, stored.recipe))

    def _store(self, dreamed: FinishedDream) -> None:
        try:
            dream_store.store(dreamed.document, dreamed.node_id, dreamed.recipe, dreamed.source)
        except DocumentError as error:
            self._session.say(str(error))

    def _switch_editing(self, on: bool) -> None:
        if on:
            repeat.edit_dream(self._session)
        else:
            self._session.editing.set(None)
        self._edit.setChecked(self._session.editing.value is not None)

    def _button(self, name: str, text: str, help_text: str) -> Any:
        button = QtWidgets.QPushButton(tr(text))
        button.setObjectName(name)
        button.setToolTip(tool_tip(help_text))
        return button


def _title(name: str, recipe: Recipe) -> str:
    return f"Dream of {name}, seed {recipe.seed}"
