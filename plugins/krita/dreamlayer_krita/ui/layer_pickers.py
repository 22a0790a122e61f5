"""Lists for the guide, the maps, and how a dream in a selection is limited."""

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

GUIDE = (
    "The layer whose picture the dream is to resemble. The network layer then ends in “:guide”, as"
    " in 10:guide."
)
STRENGTH = (
    "A layer or mask that says how strong the dream is: fully where it is white, not at all where"
    " it is black or transparent. Or the selection, which then does not limit the dream."
)
MAP = (
    "A layer painted with a few flat colours, up to 8. For each one a field appears that says what"
    " to dream there. Choose the layer again after painting with other colours."
)
SELECTED_AS = (
    "How a dream is limited to the selection: the new layer is transparent elsewhere, or it has a"
    " transparency mask, which can be painted on later."
)
SELECTION_MODES = {"Transparency": "alpha", "A mask": "mask"}
NONE = ("None", None)
SELECTION = ("Selection", layer_io.SELECTION)


class LayerPicker(QtWidgets.QComboBox):  # type: ignore[misc]
    """A list of the active picture's layers, updated when it gets the focus or opens.

    `first` are entries before the layers, as text and value; `chosen` gets a layer's unique id, or
    the value of such an entry.
    """

    def __init__(
        self,
        name: str,
        help_text: str,
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
        self.setToolTip(tool_tip(help_text))
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
        """List the current layers; the choice stays if it is among them."""
        active = Krita.instance().activeDocument()
        nodes = layer_io.list_layers(active, self._masks) if active is not None else []
        chosen = self._chosen.value
        self.blockSignals(True)
        self._fill(nodes)
        if chosen in self._ids:
            self.setCurrentIndex(self._ids.index(chosen))
        self.blockSignals(False)
        self._choose()

    def _choose(self) -> None:
        chosen = self._ids[self.currentIndex()]
        if chosen != self._chosen.value:
            self._chosen.set(chosen)

    def _fill(self, nodes: list[tuple[Any, str]]) -> None:
        self.clear()
        self._ids = [value for _, value in self._first] + [node_id for node_id, _ in nodes]
        self.addItems([tr(text) for text, _ in self._first] + [name for _, name in nodes])


class LayerPickers:
    """The lists, each with a label.

    Args:
        guide_picked, map_picked: called when the user has chosen a guide or a dream map.
        map_colours: shows the map's colours, below it.
    """

    def __init__(
        self,
        session: Session,
        guide_picked: Callable[[], None],
        map_picked: Callable[[], None],
        map_colours: Any,
    ) -> None:
        self._guide = LayerPicker("guide", GUIDE, [NONE], masks=False, chosen=session.guide)
        self._strength = LayerPicker(
            "strength_map", STRENGTH, [NONE, SELECTION], masks=True, chosen=session.strength_map
        )
        self._map = LayerPicker("dream_map", MAP, [NONE], masks=False, chosen=session.dream_map)
        self._map.activated.connect(guarded(lambda *_: map_picked(), session.say))
        self._map_colours = map_colours
        self._selected_as = _selected_as()
        self._guide.activated.connect(guarded(lambda *_: guide_picked(), log.error))
        self._selected_as.activated.connect(guarded(lambda *_: self._store(), log.error))

    def add_to(self, rows: Any) -> None:
        """Append them to a QFormLayout."""
        for text, box in (
            ("Guide", self._guide),
            ("Strength map", self._strength),
            ("Dream map", self._map),
            ("Selection as", self._selected_as),
        ):
            label = QtWidgets.QLabel(tr(text))
            label.setToolTip(box.toolTip())
            label.setBuddy(box)
            box.setAccessibleName(tr(text))
            rows.addRow(label, box)
            if box is self._map:
                rows.addRow(self._map_colours)

    def _store(self) -> None:
        group, name, _ = layer_io.SELECTED_AS
        Krita.instance().writeSetting(group, name, self._selected_as.currentData())


def _selected_as() -> Any:
    box = QtWidgets.QComboBox()
    box.setObjectName("selected_as")
    box.setToolTip(tool_tip(SELECTED_AS))
    for text, mode in SELECTION_MODES.items():
        box.addItem(tr(text), mode)
    box.setCurrentIndex(max(box.findData(Krita.instance().readSetting(*layer_io.SELECTED_AS)), 0))
    return ignore_wheel(box)
