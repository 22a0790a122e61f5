"""What else a dream can be told by the document: a guide, a strength map, how a selection shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krita import Krita

from ..document import layer_io
from ..model.observable import Observable
from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtWidgets
from .widgets.fields import ignore_wheel, tool_tip

GUIDE = "The layer whose picture is dreamed of. The network layer then says so: 10:guide."
STRENGTH = (
    "A layer or mask that says where the dream is strong: white fully, black or transparent not at"
    " all. Or the selection, which then does not cut the dream out."
)
SELECTED_AS = (
    "How a dream in a selection shows only that: the new layer is transparent elsewhere, or it has"
    " a transparency mask, which can be painted on later."
)
WAYS = {"Transparency": "alpha", "A mask": "mask"}
NONE = ("None", None)
SELECTION = ("Selection", layer_io.SELECTION)


class LayerPicker(QtWidgets.QComboBox):  # type: ignore[misc]
    """A list of the active picture's layers, as they are when it is worked on."""

    def __init__(
        self,
        name: str,
        about: str,
        first: list[tuple[str, Any]],
        masks: bool,
        chosen: Observable[Any],
    ) -> None:
        super().__init__()
        self._chosen = chosen
        self._first = first
        self._masks = masks
        self._ids: list[Any] = []
        self.setObjectName(name)
        self.setToolTip(tool_tip(about))
        self.setSizeAdjustPolicy(
            QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(8)
        ignore_wheel(self)
        self._fill([])
        self.currentIndexChanged.connect(guarded(lambda *_: self._choose(), log.error))

    def focusInEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().focusInEvent(event)
        guarded(self.refresh, log.error)()

    def showPopup(self) -> None:  # noqa: N802 (Qt's name)
        guarded(self.refresh, log.error)()
        super().showPopup()

    def refresh(self) -> None:
        """List the layers that there are now; the choice stays if it is among them."""
        active = Krita.instance().activeDocument()
        found = layer_io.list_layers(active, self._masks) if active is not None else []
        chosen = self._chosen.value
        self.blockSignals(True)
        self._fill(found)
        if chosen in self._ids:
            self.setCurrentIndex(self._ids.index(chosen))
        self.blockSignals(False)
        self._choose()

    def _choose(self) -> None:
        chosen = self._ids[self.currentIndex()]
        if chosen != self._chosen.value:
            self._chosen.set(chosen)

    def _fill(self, found: list[tuple[Any, str]]) -> None:
        self.clear()
        self._ids = [way for _, way in self._first] + [node_id for node_id, _ in found]
        self.addItems([tr(text) for text, _ in self._first] + [name for _, name in found])


class LayerPickers:
    """The boxes, each with a label; `guide_picked` is called when the user has chosen a guide."""

    def __init__(self, session: Session, guide_picked: Callable[[], None]) -> None:
        self._guide = LayerPicker("guide", GUIDE, [NONE], masks=False, chosen=session.guide)
        self._strength = LayerPicker(
            "strength_map", STRENGTH, [NONE, SELECTION], masks=True, chosen=session.strength_map
        )
        self._selected_as = _selected_as()
        self._guide.activated.connect(guarded(lambda *_: guide_picked(), log.error))
        self._selected_as.activated.connect(guarded(lambda *_: self._keep(), log.error))

    def add_to(self, rows: Any) -> None:
        """Put them at the end of a QFormLayout."""
        for text, box in (
            ("Guide", self._guide),
            ("Strength map", self._strength),
            ("Selection as", self._selected_as),
        ):
            label = QtWidgets.QLabel(tr(text))
            label.setToolTip(box.toolTip())
            label.setBuddy(box)
            box.setAccessibleName(tr(text))
            rows.addRow(label, box)

    def _keep(self) -> None:
        group, name, _ = layer_io.SELECTED_AS
        Krita.instance().writeSetting(group, name, self._selected_as.currentData())


def _selected_as() -> Any:
    box = QtWidgets.QComboBox()
    box.setObjectName("selected_as")
    box.setToolTip(tool_tip(SELECTED_AS))
    for text, way in WAYS.items():
        box.addItem(tr(text), way)
    box.setCurrentIndex(max(box.findData(Krita.instance().readSetting(*layer_io.SELECTED_AS)), 0))
    return ignore_wheel(box)
