"""Completes the names of networks, network layers and kinds of things in the form."""

from __future__ import annotations

from typing import Any

from dreamlink.session.names import names
from dreamlink.wire.messages import Header, new_id

from ..model.session import Session
from ..qt.guard import guarded, log
from ..qt.listener import ConnectionState
from ..qt.qt import QtCore, QtWidgets


class Completions:
    """Asks the daemon for the names while it is connected; no daemon is started for that."""

    def __init__(self, session: Session, model: Any, layer: Any) -> None:
        """`model` and `layer` are the fields that get the completions."""
        self._session = session
        self._link = session.link
        self._model = model
        self._layer = layer
        self._requests: dict[str, Any] = {}  # the field of each request's id
        model.editingFinished.connect(guarded(self.refresh, log.error))
        session.connection.subscribe(guarded(lambda _: self.refresh(), session.say))

    def refresh(self) -> None:
        """Ask again: the connection or the network has changed."""
        QtCore.QTimer.singleShot(
            0, guarded(self._ask, log.error)
        )  # after messages that are sent now

    def _ask(self) -> None:
        if self._session.connection.value.state is ConnectionState.OPEN and not self._requests:
            self._link.open(self)

    def waiting(self, sentence: str) -> None:
        """Not called: it listens only while there is a connection."""

    def connected(self) -> None:
        for field, header in (
            (self._model, {"op": "models"}),
            (self._layer, {"op": "layers", "model": self._model.text().strip()}),
        ):
            request = new_id()
            self._requests[request] = field
            self._link.send({**header, "id": request})

    def received(self, header: Header, frames: list[bytearray]) -> None:
        field = self._requests.pop(str(header.get("id")), None)
        if field is not None:
            _complete(field, names(header))
        if not self._requests:
            self._link.leave(self)

    def lost(self, reason: str) -> None:
        """Asks again over the next connection."""
        self._requests.clear()

    def fail(self, reason: str) -> None:
        self._requests.clear()
        self._link.leave(self)


def _complete(field: Any, offered: list[str]) -> None:
    completer = QtWidgets.QCompleter(offered, field)
    completer.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
    completer.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
    field.setCompleter(completer)
