"""What can be typed into the form: the daemon's networks, and the layers of the one chosen."""

from __future__ import annotations

from typing import Any

from dreamlink.wire.messages import Header, new_id

from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.listener import ConnectionState
from ..qt.qt import QtCore, QtWidgets


class Completions:
    """Asks the daemon for names when it is there; none is started for that."""

    def __init__(self, session: Session, model: Any, layer: Any) -> None:
        """`model` and `layer` are the fields that offer the names."""
        self._session = session
        self._link = session.link
        self._model = model
        self._layer = layer
        self._asked: dict[str, Any] = {}  # which field waits for the answer of an id
        model.editingFinished.connect(guarded(self.refresh, log.error))
        session.connection.subscribe(guarded(lambda _: self.refresh(), session.say))

    def refresh(self) -> None:
        """The connection has changed, or the network."""
        QtCore.QTimer.singleShot(0, guarded(self._ask, log.error))  # what is sent now goes before

    def _ask(self) -> None:
        if self._session.connection.value.state is ConnectionState.OPEN and not self._asked:
            self._link.open(self)

    def waiting(self, sentence: str) -> None:
        """It is asked only where there is a connection."""

    def connected(self) -> None:
        for field, header in (
            (self._model, {"op": "models"}),
            (self._layer, {"op": "layers", "model": self._model.text().strip()}),
        ):
            request = new_id()
            self._asked[request] = field
            self._link.send({**header, "id": request})

    def received(self, header: Header, frames: list[bytearray]) -> None:
        field = self._asked.pop(str(header.get("id")), None)
        if field is not None:
            _offer(field, _names(header))
        if not self._asked:
            self._link.leave(self)

    def lost(self, reason: str) -> None:
        """The next connection is asked again."""
        self._asked.clear()

    def fail(self, reason: str) -> None:
        self._asked.clear()
        self._link.leave(self)


def _names(header: Header) -> list[str]:
    """The names in an answer; an error has none, e.g. of a network that is half typed."""
    rows = header.get(header["op"])
    return [str(row["name"]) for row in rows] if isinstance(rows, list) else []


def _offer(field: Any, names: list[str]) -> None:
    completer = QtWidgets.QCompleter(names, field)
    completer.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
    completer.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
    field.setCompleter(completer)
