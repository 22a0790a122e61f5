"""The state of the connection to the daemon, with a button that starts it or shows its log."""

from __future__ import annotations

from dreamlink.wire.messages import Header

from ..model.session import Session
from ..qt.guard import guarded
from ..qt.i18n import tr
from ..qt.listener import ConnectionState
from ..qt.qt import QtWidgets
from .log_window import LogWindow
from .widgets.elided_label import ElidedLabel

STATES = {
    ConnectionState.CLOSED: "Daemon: not connected",
    ConnectionState.OPENING: "Daemon: starting…",
    ConnectionState.OPEN: "Daemon: connected",
    ConnectionState.FAILED: "Daemon: not reached",
}
HINTS = {
    ConnectionState.CLOSED: "The first dream starts the daemon, the program that dreams.",
    ConnectionState.OPENING: "Looking for the program that dreams, or starting it.",
    ConnectionState.OPEN: "The program that dreams is running.",
    ConnectionState.FAILED: "The program that dreams could not be reached.",
}


class ConnectionLine(QtWidgets.QWidget):  # type: ignore[misc]
    """A line of text and a button, which starts the daemon or shows its log."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._log: LogWindow | None = None
        self._text = ElidedLabel()
        self._text.setObjectName("connection")
        self._button = QtWidgets.QPushButton()
        self._button.setObjectName("mend")
        self._button.clicked.connect(guarded(lambda *_: self._start_or_show_log(), session.say))
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        self.refresh()
        session.connection.subscribe(guarded(lambda _: self.refresh(), session.say))

    def refresh(self) -> None:
        """Show the current state."""
        state, sentence = self._session.connection.value
        self._text.show_text(tr(STATES[state]))
        self._text.setToolTip(f"<p>{sentence or tr(HINTS[state])}</p>")
        if state is ConnectionState.CLOSED:
            self._button.setText(tr("Start"))
            self._button.setToolTip(
                tr("Start the daemon now, so that the first dream begins sooner")
            )
        else:
            self._button.setText(tr("Log"))
            self._button.setToolTip(tr("Show the daemon's log"))
        if self._log is not None:
            self._log.refresh()

    def start_daemon(self) -> None:
        """Connect; the line shows the progress."""
        self._session.link.open(_Starter(self._session))

    def _start_or_show_log(self) -> None:
        if self._session.connection.value.state is ConnectionState.CLOSED:
            self.start_daemon()
            return
        if self._log is None:
            self._log = LogWindow(self, self._session, self.start_daemon)
        self._log.open_again()


class _Starter:
    """Listens until the connection is open."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def waiting(self, sentence: str) -> None:
        """The line shows it."""

    def connected(self) -> None:
        self._session.link.leave(self)

    def received(self, header: Header, frames: list[bytearray]) -> None:
        """Nothing was requested."""

    def lost(self, reason: str) -> None:
        self._session.say(reason)

    def fail(self, reason: str) -> None:
        self._session.link.leave(self)
        self._session.say(reason)
