"""The widgets of a recipe, made from its table: one a parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dreamlink.presets import KEPT, Preset
from dreamlink.recipe import PARAMETERS, Parameter, Recipe, RecipeError, Value

from .guard import guarded, log
from .preset_box import PresetBox
from .qt import QtCore, QtWidgets


class Form(QtWidgets.QWidget):  # type: ignore[misc]
    """A list of presets, the parameters that matter, the rest folded under "More".

    `changed` is called when the user has changed something, or a recipe was shown.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self._filling = False  # several fields are set, and told of together
        self._fields = {p.name: _widget(p) for p in PARAMETERS.values()}
        self._presets = PresetBox(self._take)
        for parameter in PARAMETERS.values():
            touched = _changed(parameter, self._fields[parameter.name])
            touched.connect(guarded(lambda *_: self._touched(), log.error))
        self._tell_preset()
        self._more = QtWidgets.QToolButton()
        self._more.setObjectName("more")
        self._more.setText("More")
        self._more.setCheckable(True)
        self._more.setAutoRaise(True)
        self._more.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        rest = self._rows(main=False)
        self._more.toggled.connect(rest.setVisible)
        self._more.toggled.connect(guarded(self._turn_arrow, log.error))
        rest.setVisible(False)
        self._turn_arrow(False)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._rows(main=True))
        column.addWidget(self._more)
        column.addWidget(rest)
        column.addStretch()

    def recipe(self) -> Recipe:
        """What the widgets say; raises RecipeError."""
        return Recipe.of(
            {name: _value(PARAMETERS[name], field) for name, field in self._fields.items()}
        )

    def show_recipe(self, values: Mapping[str, object]) -> None:
        """Put values into the widgets; what the table does not know or allow is left out."""
        self._filling = True
        for name, value in values.items():
            if name in PARAMETERS:
                try:
                    _put(PARAMETERS[name], self._fields[name], PARAMETERS[name].check(value))
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

    def _rows(self, main: bool) -> Any:
        box = QtWidgets.QWidget()
        rows = QtWidgets.QFormLayout(box)
        rows.setContentsMargins(0, 0, 0, 0)
        if main:
            rows.addRow("Preset", self._presets)
        for parameter in PARAMETERS.values():
            if parameter.main == main:
                label = QtWidgets.QLabel(parameter.label)
                label.setToolTip(_tool_tip(parameter))
                label.setBuddy(self._fields[parameter.name])
                rows.addRow(label, self._fields[parameter.name])
        if not main:
            reset = QtWidgets.QPushButton("Defaults")
            reset.setObjectName("defaults")
            reset.setToolTip("Set everything back to how it came")
            reset.clicked.connect(guarded(lambda *_: self.reset(), log.error))
            rows.addRow(reset)
        return box

    def _turn_arrow(self, open_: bool) -> None:
        arrows = QtCore.Qt.ArrowType
        self._more.setArrowType(arrows.DownArrow if open_ else arrows.RightArrow)


def _widget(parameter: Parameter) -> Any:
    widget: Any
    if parameter.kind is bool:
        widget = QtWidgets.QCheckBox()
    elif parameter.choices:
        widget = QtWidgets.QComboBox()
        widget.addItems(parameter.choices)
    elif parameter.kind is str:
        widget = QtWidgets.QLineEdit()
    else:
        widget = QtWidgets.QSpinBox() if parameter.kind is int else QtWidgets.QDoubleSpinBox()
        widget.setRange(parameter.minimum, parameter.maximum)
        widget.setSingleStep(parameter.step)
        widget.setSuffix(f" {parameter.unit}" if parameter.unit else "")
    widget.setObjectName(parameter.name)
    widget.setToolTip(_tool_tip(parameter))
    _put(parameter, widget, parameter.default)
    return widget


def _tool_tip(parameter: Parameter) -> str:
    return f"<p>{parameter.help}</p>"  # as rich text Qt breaks its lines


def _value(parameter: Parameter, widget: Any) -> Value:
    if parameter.kind is bool:
        return bool(widget.isChecked())
    if parameter.choices:
        return str(widget.currentText())
    if parameter.kind is str:
        return str(widget.text()).strip()
    return parameter.check(widget.value())


def _changed(parameter: Parameter, widget: Any) -> Any:
    """The signal that tells of another value."""
    if parameter.kind is bool:
        return widget.toggled
    if parameter.choices:
        return widget.currentTextChanged
    return widget.textChanged if parameter.kind is str else widget.valueChanged


def _put(parameter: Parameter, widget: Any, value: Value) -> None:
    if parameter.kind is bool:
        widget.setChecked(value)
    elif parameter.choices:
        widget.setCurrentText(value)
    elif parameter.kind is str:
        widget.setText(value)
    else:
        widget.setValue(value)
