"""Input widgets for the parameters of a recipe."""

from __future__ import annotations

from typing import Any

from dreamlink.recipe.recipe import Parameter, Value

from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtCore, QtWidgets


class ParameterField:
    """A parameter, the widget that shows it, and its label.

    `touched` is the Qt signal of a changed value.
    """

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self.widget = _widget(parameter)
        self.widget.setObjectName(parameter.name)
        self.widget.setToolTip(tool_tip(parameter.help))
        self.widget.setAccessibleName(tr(parameter.label))
        self.label = QtWidgets.QLabel(tr(parameter.label))
        self.label.setToolTip(tool_tip(parameter.help))
        self.label.setBuddy(self.widget)
        self.put(parameter.default)

    @property
    def value(self) -> Value:
        parameter, widget = self.parameter, self.widget
        if parameter.kind is bool:
            return bool(widget.isChecked())
        if parameter.choices:
            return str(widget.currentData())
        if parameter.kind is str:
            return str(widget.text()).strip()
        return parameter.check(widget.value())

    def put(self, value: Value) -> None:
        """Show a value that the parameter allows."""
        parameter, widget = self.parameter, self.widget
        if parameter.kind is bool:
            widget.setChecked(value)
        elif parameter.choices:
            widget.setCurrentIndex(widget.findData(value))
        elif parameter.kind is str:
            widget.setText(value)
        else:
            widget.setValue(value)

    @property
    def touched(self) -> Any:
        parameter, widget = self.parameter, self.widget
        if parameter.kind is bool:
            return widget.toggled
        if parameter.choices:
            return widget.currentIndexChanged
        return widget.textChanged if parameter.kind is str else widget.valueChanged


def tool_tip(text: str) -> str:
    """A tool tip as rich text, so that Qt wraps its lines."""
    return f"<p>{tr(text)}</p>"


def _widget(parameter: Parameter) -> Any:
    widget: Any
    if parameter.kind is bool:
        return QtWidgets.QCheckBox()
    if parameter.choices:
        widget = QtWidgets.QComboBox()
        for choice in parameter.choices:
            widget.addItem(tr(choice), choice)
        return ignore_wheel(widget)
    if parameter.kind is str:
        return QtWidgets.QLineEdit()
    widget = QtWidgets.QSpinBox() if parameter.kind is int else QtWidgets.QDoubleSpinBox()
    widget.setRange(parameter.minimum, parameter.maximum)
    widget.setSingleStep(parameter.step)
    widget.setSuffix(f" {parameter.unit}" if parameter.unit else "")
    return ignore_wheel(widget)


def ignore_wheel(widget: Any) -> Any:
    """Make the mouse wheel scroll the form instead of changing a widget without focus."""
    widget.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_WheelPasses(widget))
    return widget


class _WheelPasses(QtCore.QObject):  # type: ignore[misc]
    def eventFilter(self, widget: Any, event: Any) -> bool:  # noqa: N802 (Qt's name)
        passes = False

        def look() -> None:
            nonlocal passes
            passes = event.type() == QtCore.QEvent.Type.Wheel and not widget.hasFocus()
            if passes:
                event.ignore()

        guarded(look, log.error)()
        return passes
