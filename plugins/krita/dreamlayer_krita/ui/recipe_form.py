"""The form of a recipe, built from the parameter table: one field for each parameter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from krita import Krita

from dreamlink.recipe import presets
from dreamlink.recipe.recipe import FORM_PARAMETERS, SEED_MAX, Recipe, RecipeError, Value

from ..document.errors import DocumentError
from ..document.guide_and_map import map_colours
from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .layer_pickers import LayerPickers
from .preset_box import PresetPicker
from .widgets.fields import ParameterField, tool_tip
from .widgets.icon_button import IconButton
from .widgets.map_colour_rows import MapColourRows

NO_COLOURS = (
    "“{}” has no flat colours that could stand for something: paint it with a hard, opaque brush"
    " in up to 8 colours, then choose it again."
)


class RecipeForm(QtWidgets.QWidget):  # type: ignore[misc]
    """A list of presets, the main parameters, and the rest folded under "More".

    The fields show the session's recipe values, and store there what the user changes.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._storing = False  # the fields are where the values come from
        self._showing = False  # several fields are set, and stored together
        self._fields = {p.name: ParameterField(p) for p in FORM_PARAMETERS.values()}
        for field in self._fields.values():
            field.touched.connect(guarded(lambda *_: self._touched(), log.error))
        layer = self._fields["layer"].widget
        self._map = MapColourRows(self._touched, layer.completer)
        session.recipe_values.subscribe(guarded(self._show, log.error))
        self._show(session.recipe_values.value)
        self._presets = PresetPicker(session)
        self._pickers = LayerPickers(session, self._guide_picked, self._map_picked, self._map)
        self._more = self._more_button()
        rest = self._rest()
        self._more.toggled.connect(rest.setVisible)
        rest.setVisible(False)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._main())
        column.addWidget(self._more)
        column.addWidget(rest)
        column.addStretch()

    def widget(self, name: str) -> Any:
        """A parameter's field."""
        return self._fields[name].widget

    def _show(self, values: Mapping[str, Value]) -> None:
        """Put values into the fields, and store them as the fields round them."""
        if self._storing:
            return
        self._showing = True
        try:
            for name, field in self._fields.items():
                if field.value != values[name]:
                    field.put(values[name])
            if self._map.value != values["bind"]:
                self._map.put(str(values["bind"]))
        finally:
            self._showing = False
        if self._values() != values:
            self._store()

    def _values(self) -> dict[str, Value]:
        return {name: field.value for name, field in self._fields.items()} | {
            "bind": self._map.value
        }

    def _store(self) -> None:
        self._storing = True
        try:
            self._session.recipe_values.set(self._values())
        finally:
            self._storing = False

    def _touched(self) -> None:
        if not self._showing:
            self._store()

    def _guide_picked(self) -> None:
        """Let the network layer ask for the guide, which is of no use otherwise."""
        if self._session.guide.value is None:
            return
        try:
            expression = self._session.recipe().expression()
        except RecipeError:
            return  # the user is told when it is to be dreamed
        kinds = [target.kind for _, target in expression.terms]
        if kinds in (["squares"], ["channels"], ["kind"]):
            layer = next(iter(expression.layers), Recipe().layer)  # a kind names no layer
            self._session.show_recipe({"layer": f"{layer}:guide", "channels": ""})

    def _map_picked(self) -> None:
        """Show a field for each colour of the dream map, or none without a map."""
        document, chosen = Krita.instance().activeDocument(), self._session.dream_map.value
        node = document.nodeByUniqueID(chosen) if document is not None and chosen else None
        try:
            colours = [] if node is None else map_colours(node, document)
            first = self._session.recipe().expression().text
        except (RecipeError, DocumentError) as error:
            self._session.say(str(error))
            return
        self._map.offer(colours, first)
        self._store()
        if node is not None and not colours:
            self._session.say(NO_COLOURS.format(node.name()))

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
        defaults.setToolTip(tool_tip("Reset everything to its default"))
        default = presets.find(presets.DEFAULT).recipe()
        defaults.clicked.connect(guarded(lambda *_: self._session.show_recipe(default), log.error))
        rows.addRow(defaults)
        return box

    def _with_dice(self, field: ParameterField) -> Any:
        """The field's widget; the seed's has a button beside it that draws another one."""
        if field.parameter.name != "seed":
            return field.widget
        row = QtWidgets.QHBoxLayout()
        row.addWidget(field.widget, 1)
        row.addWidget(
            IconButton(
                "reroll", "view-refresh", "Draw another seed, for another dream", self._reroll
            )
        )
        return row

    def _reroll(self) -> None:
        self._fields["seed"].put(random.SystemRandom().randint(1, SEED_MAX))

    def _more_button(self) -> Any:
        more = QtWidgets.QToolButton()
        more.setObjectName("more")
        more.setText(tr("More"))
        more.setToolTip(tool_tip("All other settings of a dream"))
        more.setCheckable(True)
        more.setAutoRaise(True)
        more.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        more.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        arrows = QtCore.Qt.ArrowType
        more.setArrowType(arrows.RightArrow)

        def turn(is_open: bool) -> None:
            more.setArrowType(arrows.DownArrow if is_open else arrows.RightArrow)

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
