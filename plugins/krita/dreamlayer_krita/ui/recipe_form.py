"""The form of a recipe, made from its table: one field a parameter."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from dreamlink.recipe.presets import KEPT, Preset
from dreamlink.recipe.recipe import PARAMETERS, SEED_MAX, Recipe, RecipeError

from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .layer_pickers import Pickers
from .preset_box import PresetBox
from .widgets.fields import Field, tip
from .widgets.icon_button import IconButton


class Form(QtWidgets.QWidget):  # type: ignore[misc]
    """A list of presets, the parameters that matter, the rest folded under "More".

    `changed` is called when the user has changed something, or a recipe was shown.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self._filling = False  # several fields are set, and told of together
        self._presets = PresetBox(self._take)
        self._fields = {p.name: Field(p) for p in PARAMETERS.values()}
        self._pickers = Pickers(self._picked)
        for field in self._fields.values():
            field.touched.connect(guarded(lambda *_: self._touched(), log.error))
        self._tell_preset()
        self._more = self._more_button()
        rest = self._rest()
        self._more.toggled.connect(rest.setVisible)
        rest.setVisible(False)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._main())
        column.addWidget(self._more)
        column.addWidget(rest)
        column.addStretch()

    def recipe(self) -> Recipe:
        """What the fields say; raises RecipeError."""
        return Recipe.of({name: field.value for name, field in self._fields.items()})

    def widget(self, name: str) -> Any:
        """A parameter's field."""
        return self._fields[name].widget

    def choices(self) -> dict[str, Any]:
        """What else is chosen for `document.read`: guide and strength map."""
        return {"guide": self._pickers.guide.chosen, "strength": self._pickers.strength.chosen}

    def show_recipe(self, values: Mapping[str, object]) -> None:
        """Put values into the fields; what the table does not know or allow is left out."""
        self._filling = True
        for name, value in values.items():
            if name in PARAMETERS:
                try:
                    self._fields[name].put(PARAMETERS[name].check(value))
                except RecipeError:
                    continue  # e.g. remembered by a version with other limits
        self._filling = False
        self._touched()

    def reset(self) -> None:
        self.show_recipe(Recipe().to_dict())

    def _take(self, preset: Preset) -> None:
        values = preset.recipe().to_dict()
        self.show_recipe({name: value for name, value in values.items() if name not in KEPT})

    def _touched(self) -> None:
        if not self._filling:
            self._tell_preset()
            self._changed()

    def _tell_preset(self) -> None:
        try:
            recipe = self.recipe()
        except RecipeError:
            self._presets.show_recipe(None)
        else:
            self._presets.show_recipe(recipe)

    def _picked(self) -> None:
        """A guide is of no use to a network layer that does not ask for one, and none to one."""
        if self._pickers.guide.chosen is not None:
            self._let_layer_ask_for_guide()
        self._changed()

    def _let_layer_ask_for_guide(self) -> None:
        try:
            expression = self.recipe().expression()
        except RecipeError:
            return  # it will be said when it is to be dreamed
        plain = [target.kind for _, target in expression.terms] in (["squares"], ["channels"])
        if plain:
            self.show_recipe({"layer": f"{expression.layers[0]}:guide", "channels": ""})

    def _main(self) -> Any:
        box, rows = _rows()
        rows.addRow(self._presets)
        for field in self._fields.values():
            if field.parameter.main:
                rows.addRow(field.label, self._with_dice(field))
        return box

    def _rest(self) -> Any:
        box, rows = _rows()
        for field in self._fields.values():
            if not field.parameter.main:
                rows.addRow(field.label, field.widget)
        self._pickers.add_to(rows)
        defaults = QtWidgets.QPushButton(tr("Defaults"))
        defaults.setObjectName("defaults")
        defaults.setToolTip(tip("Set everything back to how it came"))
        defaults.clicked.connect(guarded(lambda *_: self.reset(), log.error))
        rows.addRow(defaults)
        return box

    def _with_dice(self, field: Field) -> Any:
        """The field's widget; beside the seed's a button that draws another one."""
        if field.parameter.name != "seed":
            return field.widget
        row = QtWidgets.QHBoxLayout()
        row.addWidget(field.widget, 1)
        row.addWidget(
            IconButton("reroll", "view-refresh", "Draw another seed: another dream", self._reroll)
        )
        return row

    def _reroll(self) -> None:
        self._fields["seed"].put(random.SystemRandom().randint(1, SEED_MAX))

    def _more_button(self) -> Any:
        more = QtWidgets.QToolButton()
        more.setObjectName("more")
        more.setText(tr("More"))
        more.setToolTip(tip("All that can be said about a dream"))
        more.setCheckable(True)
        more.setAutoRaise(True)
        more.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        more.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        arrows = QtCore.Qt.ArrowType
        more.setArrowType(arrows.RightArrow)

        def turn(open_: bool) -> None:
            more.setArrowType(arrows.DownArrow if open_ else arrows.RightArrow)

        more.toggled.connect(guarded(turn, log.error))
        return more


def _rows() -> tuple[Any, Any]:
    box = QtWidgets.QWidget()
    rows = QtWidgets.QFormLayout(box)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    # In a narrow docker a field goes below its label.
    rows.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)
    return box, rows
