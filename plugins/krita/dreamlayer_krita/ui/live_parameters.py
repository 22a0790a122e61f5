"""The finished layer's sliders: what they change is seen at once, and nothing is dreamed anew."""

from __future__ import annotations

from typing import Any

from krita import Krita

from dreamlink.recipe.recipe import PARAMETERS, Parameter

from ..model.jobs import Dreamed
from ..model.reblend import Reblend
from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .widgets.fields import ParameterField, ignore_wheel, tool_tip

KEPT_MAX = 8  # finished dreams that can be changed; the daemon keeps some too
LOOK = 400  # milliseconds between two looks at which layer is active: Krita does not tell


class LiveParametersBox(QtWidgets.QWidget):  # type: ignore[misc]
    """One field for each live parameter, for the last dream or the active one; else hidden."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._kept: list[Reblend] = []  # the last finished one last
        self._shown: Reblend | None = None
        self._filling = False
        self.setObjectName("live")
        self._fields = {p.name: LiveField(p, self._touched) for p in PARAMETERS.values() if p.live}
        title = QtWidgets.QLabel(tr("Finished dream"))
        title.setToolTip(tool_tip("Changes the layer at once, without a new dream or an undo step"))
        self._line = QtWidgets.QLabel()
        self._line.setObjectName("live_line")
        self._line.setWordWrap(True)
        self._line.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._rows = QtWidgets.QWidget()
        rows = QtWidgets.QFormLayout(self._rows)
        rows.setContentsMargins(0, 0, 0, 0)
        switches = QtWidgets.QHBoxLayout()
        for field in self._fields.values():
            if field.switch:
                switches.addWidget(field)
            else:
                rows.addRow(field.label, field)
        switches.addStretch()
        rows.addRow(switches)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (title, self._rows, self._line):
            column.addWidget(widget)
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(LOOK)
        self._timer.timeout.connect(guarded(self._follow, session.say))
        self.setVisible(False)
        session.finished.subscribe(guarded(self._take, session.say))

    def _take(self, dreamed: Dreamed) -> None:
        """A dream has come into its document."""
        self._kept.append(Reblend(self._session.link, dreamed, self._told))
        for oldest in self._kept[:-KEPT_MAX]:
            self._forget(oldest)
        self._show(self._kept[-1])
        self._timer.start()

    def _touched(self, name: str) -> None:
        if self._shown is not None and not self._filling:
            self._say("")
            self._shown.want(name, self._fields[name].value)

    def _told(self, reblend: Reblend, sentence: str) -> None:
        """A change has come, or can't."""
        if reblend.over:
            self._forget(reblend)
        if reblend is self._shown and sentence:
            self._say(sentence)
            self._fill()
            self._rows.setEnabled(not reblend.over)

    def _follow(self) -> None:
        """Show the active layer's dream, if it is one of these; none to a picture without any."""
        if not self._kept and self.isHidden():
            self._timer.stop()
        document = Krita.instance().activeDocument() if self.parentWidget().isVisible() else None
        node = document.activeNode() if document is not None else None
        if node is None:
            return
        here = [reblend for reblend in self._kept if reblend.dreamed.document == document]
        for reblend in here:
            if reblend.dreamed.node_id == node.uniqueId():
                if reblend is not self._shown or self.isHidden():
                    self._show(reblend)
                return
        if not here and self._shown is not None and self._shown.dreamed.document != document:
            self.setVisible(False)

    def _show(self, reblend: Reblend) -> None:
        self._shown = reblend
        self._fill()
        self._rows.setEnabled(True)
        self._say("")
        self.setVisible(True)

    def _fill(self) -> None:
        if self._shown is None:
            return
        self._filling = True
        values = self._shown.dreamed.recipe.to_dict()
        for name, field in self._fields.items():
            field.put(values[name])
            field.show_if(self._shown.matters(name))
        self._filling = False

    def _forget(self, reblend: Reblend) -> None:
        reblend.leave()
        if reblend in self._kept:
            self._kept.remove(reblend)

    def _say(self, sentence: str) -> None:
        self._line.setText(sentence)
        self._line.setVisible(bool(sentence))


class LiveField(QtWidgets.QWidget):  # type: ignore[misc]
    """A parameter's field, with a slider if it is a number.

    `touched` is called with the parameter's name.

    Attributes:
        label: stands before it, unless it is a `switch`, which says itself what it is.
    """

    def __init__(self, parameter: Parameter, touched: Any) -> None:
        super().__init__()
        self._parameter = parameter
        self._field = ParameterField(parameter)
        self._field.widget.setObjectName(f"live_{parameter.name}")
        self._slider: Any = None
        self.label = self._field.label
        self.switch = parameter.kind is bool
        if self.switch:
            self._field.widget.setText(tr(parameter.label))
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        if parameter.kind in (int, float):
            self._slider = _slider(parameter)
            self._slider.valueChanged.connect(guarded(self._slid, log.error))
            row.addWidget(self._slider, 1)
        row.addWidget(self._field.widget, 0 if self._slider else 1)

        def changed() -> None:
            self._follow()
            touched(parameter.name)

        self._field.touched.connect(guarded(lambda *_: changed(), log.error))

    @property
    def value(self) -> Any:
        return self._field.value

    def put(self, value: Any) -> None:
        """Show a value."""
        self._field.put(value)
        self._follow()

    def show_if(self, matters: bool) -> None:
        """Of what changes nothing there is no field."""
        self.setVisible(matters)
        self.label.setVisible(matters and not self.switch)

    def _slid(self, position: int) -> None:
        step = self._parameter.step or 1
        self._field.put(self._parameter.check((self._parameter.minimum or 0) + position * step))

    def _follow(self) -> None:
        """The slider shows what the field says, as nearly as its steps allow."""
        if self._slider is not None:
            step = self._parameter.step or 1
            position = round((float(self._field.value) - (self._parameter.minimum or 0)) / step)
            self._slider.blockSignals(True)
            self._slider.setValue(position)
            self._slider.blockSignals(False)


def _slider(parameter: Parameter) -> Any:
    slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
    low, high = parameter.minimum or 0.0, parameter.maximum or 0.0
    slider.setRange(0, round((high - low) / (parameter.step or 1)))
    slider.setObjectName(f"slide_{parameter.name}")
    slider.setAccessibleName(tr(parameter.label))
    slider.setToolTip(tool_tip(parameter.help))
    return ignore_wheel(slider)
