"""Sliders that change a finished dream's layer at once, without a new dream."""

from __future__ import annotations

from typing import Any

from krita import Krita

from dreamlink.recipe.recipe import PARAMETERS, Parameter

from ..model.jobs import FinishedDream
from ..model.reblend import Reblend
from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .widgets.fields import ParameterField, ignore_wheel, tool_tip

REBLENDS_MAX = 8  # finished dreams that can be changed; the daemon keeps only some
POLL = 400  # milliseconds; Krita has no signal for a change of the active layer


class LiveParametersBox(QtWidgets.QWidget):  # type: ignore[misc]
    """One field for each live parameter, of the last dream or the active one; hidden if none."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._reblends: list[Reblend] = []  # the latest one last
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
        self._timer.setInterval(POLL)
        self._timer.timeout.connect(guarded(self._follow, session.say))
        self.setVisible(False)
        session.finished.subscribe(guarded(self._take, session.say))

    def _take(self, dreamed: FinishedDream) -> None:
        """A dream has become a layer."""
        self._reblends.append(Reblend(self._session.link, dreamed, self._notified))
        for oldest in self._reblends[:-REBLENDS_MAX]:
            self._forget(oldest)
        self._show(self._reblends[-1])
        self._timer.start()

    def _touched(self, name: str) -> None:
        if self._shown is not None and not self._filling:
            self._say("")
            self._shown.request(name, self._fields[name].value)

    def _notified(self, reblend: Reblend, sentence: str) -> None:
        """A change was made, or refused."""
        if reblend.over:
            self._forget(reblend)
        if reblend is self._shown and sentence:
            self._say(sentence)
            self._fill()
            self._rows.setEnabled(not reblend.over)

    def _follow(self) -> None:
        """Show the active layer's dream; hide if the active picture has none of these dreams."""
        if not self._reblends and self.isHidden():
            self._timer.stop()
        document = Krita.instance().activeDocument() if self.parentWidget().isVisible() else None
        node = document.activeNode() if document is not None else None
        if node is None:
            return
        here = [reblend for reblend in self._reblends if reblend.dreamed.document == document]
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
            field.show_if(self._shown.affects(name))
        self._filling = False

    def _forget(self, reblend: Reblend) -> None:
        reblend.leave()
        if reblend in self._reblends:
            self._reblends.remove(reblend)

    def _say(self, sentence: str) -> None:
        self._line.setText(sentence)
        self._line.setVisible(bool(sentence))


class LiveField(QtWidgets.QWidget):  # type: ignore[misc]
    """A parameter's field, with a slider if it is a number.

    `touched` is called with the parameter's name when the user changes it.

    Attributes:
        label: stands before it, unless it is a `switch`.
        switch: whether it is a check box, which has its own text.
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
            self._slider.valueChanged.connect(guarded(self._slider_moved, log.error))
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

    def show_if(self, useful: bool) -> None:
        """Hide a field that would change nothing."""
        self.setVisible(useful)
        self.label.setVisible(useful and not self.switch)

    def _slider_moved(self, position: int) -> None:
        step = self._parameter.step or 1
        self._field.put(self._parameter.check((self._parameter.minimum or 0) + position * step))

    def _follow(self) -> None:
        """Move the slider to the field's value, as nearly as its steps allow."""
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
