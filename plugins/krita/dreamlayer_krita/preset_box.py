"""The list of presets on top of the form: choosing one sets the fields below it."""

from __future__ import annotations

from collections.abc import Callable

from dreamlink import presets
from dreamlink.presets import Preset
from dreamlink.recipe import PARAMETERS, Recipe

from .guard import guarded, log
from .qt import QtCore, QtWidgets

OWN = "Settings of your own"
CHOOSE = "Choose what to dream."


class PresetBox(QtWidgets.QComboBox):  # type: ignore[misc]
    """Says which preset a recipe is; `chosen` is called with the one that the user picks."""

    def __init__(self, chosen: Callable[[Preset], None]) -> None:
        super().__init__()
        self._chosen = chosen
        self.setObjectName("preset")
        self.setToolTip(CHOOSE)
        self.addItem(OWN)
        for preset in presets.PRESETS.values():
            model = preset.recipe().model
            own = model == PARAMETERS["model"].default
            self.addItem(preset.title if own else f"{preset.title} ({model})", preset.name)
            tip = QtCore.Qt.ItemDataRole.ToolTipRole
            self.setItemData(self.count() - 1, preset.help, tip)
        # A narrow docker must not be as wide as the longest title.
        self.setSizeAdjustPolicy(
            QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(10)
        self.activated.connect(guarded(lambda *_: self._pick(), log.error))

    def show_recipe(self, recipe: Recipe | None) -> None:
        """Show which preset the recipe is, if any; None stands for one that is half typed."""
        preset = presets.of(recipe) if recipe else None
        self.setCurrentIndex(self.findData(preset.name) if preset else 0)
        self.setToolTip(preset.help if preset else CHOOSE)

    def _pick(self) -> None:
        name = self.currentData()
        if name:
            self._chosen(presets.find(name))
