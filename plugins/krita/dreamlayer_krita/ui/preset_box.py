"""The list of presets above the form."""

from __future__ import annotations

from typing import Any

from dreamlink.recipe import presets
from dreamlink.recipe.presets import KEPT, Preset
from dreamlink.recipe.recipe import RecipeError

from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtGui, QtWidgets
from .widgets.fields import ignore_wheel, tool_tip

OWN = "Your own settings"
CHOOSE = "Choose what to dream."
LINES = 2  # of text: the side of a thumbnail in the closed list
LIST_LINES = 3  # in the open list
LETTERS = 10  # the smallest width in characters: a docker may be narrow
LISTED = 12  # presets visible at once


class PresetPicker(QtWidgets.QComboBox):  # type: ignore[misc]
    """Shows which preset the recipe is, and sets the values of the one that the user picks."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setObjectName("preset")
        self.setToolTip(tool_tip(CHOOSE))
        self.setAccessibleName(tr("Preset"))
        self._thumbnails = _Thumbnails(self)
        self.setItemDelegate(self._thumbnails)
        self.setMaxVisibleItems(LISTED)
        self._fill()
        self.setSizeAdjustPolicy(
            QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(LETTERS)
        self._fit()
        ignore_wheel(self)
        self.activated.connect(guarded(lambda *_: self._pick(), log.error))
        session.recipe_values.subscribe(guarded(lambda _: self._follow(), log.error))
        self._follow()

    def changeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.FontChange:
            guarded(self._fit, log.error)()

    def _follow(self) -> None:
        """Show which preset the recipe is, if any."""
        try:
            preset = presets.of(self._session.recipe())
        except RecipeError:  # e.g. half typed
            preset = None
        self.setCurrentIndex(self.findData(preset.name) if preset else 0)
        self.setToolTip(tool_tip(preset.help if preset else CHOOSE))

    def _fill(self) -> None:
        self.addItem(tr(OWN))
        for preset in presets.PRESETS.values():
            network = f" ({preset.recipe().model})" if preset.needs_download else ""
            self.addItem(_icon(preset), tr(preset.title) + network, preset.name)
            role = QtCore.Qt.ItemDataRole.ToolTipRole
            self.setItemData(self.count() - 1, tool_tip(preset.help), role)

    def _fit(self) -> None:
        line = self.fontMetrics().height()
        self.setIconSize(QtCore.QSize(LINES * line, LINES * line))
        self._thumbnails.side = LIST_LINES * line

    def _pick(self) -> None:
        name = self.currentData()
        if name:
            values = presets.find(name).recipe().to_dict()
            self._session.show_recipe(
                {name: value for name, value in values.items() if name not in KEPT}
            )


class _Thumbnails(QtWidgets.QStyledItemDelegate):  # type: ignore[misc]
    """Draws the open list with larger thumbnails; a row without one leaves the space empty."""

    side = 0

    def initStyleOption(self, option: Any, index: Any) -> None:  # noqa: N802 (Qt's name)
        super().initStyleOption(option, index)
        option.features |= QtWidgets.QStyleOptionViewItem.ViewItemFeature.HasDecoration
        option.decorationSize = QtCore.QSize(self.side, self.side)


def _icon(preset: Preset) -> Any:
    path = preset.thumbnail
    return QtGui.QIcon(str(path)) if path else QtGui.QIcon()
