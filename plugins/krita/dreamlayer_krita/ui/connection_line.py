"""How the connection to the daemon stands, and the one button that mends it."""

from __future__ import annotations

from collections.abc import Callable

from dreamlink.wire.messages import Header

from ..qt.connection import Connection, Link
from ..qt.guard import guarded
from ..qt.i18n import tr
from ..qt.qt import QtWidgets
from .log_window import LogWindow
from .widgets.elided_label import ShortLabel

STATES = {
    Connection.CLOSED: "Daemon: not connected",
    Connection.OPENING: "Daemon: starting…",
    Connection.OPEN: "Daemon: connected",
    Connection.FAILED: "Daemon: not reached",
}
HINTS = {
    Connection.CLOSED: "The first dream starts the daemon, the program that does the dreaming.",
    Connection.OPENING: "The program that does the dreaming is being looked for or started.",
    Connection.OPEN: "The program that does the dreaming is there.",
    Connection.FAILED: "The program that does the dreaming could not be reached.",
}


class ConnectionLine(QtWidgets.QWidget):  # type: ignore[misc]
    """A line of text and a button: it starts the daemon, or shows what the daemon has to say."""

    def __init__(self, link: Link, say: Callable[[str], None]) -> None:
        super().__init__()
        self._link = link
        self._say = say
        self._log: LogWindow | None = None
        self._text = ShortLabel()
        self._text.setObjectName("connection")
        self._button = QtWidgets.QPushButton()
        self._button.setObjectName("mend")
        self._button.clicked.connect(guarded(lambda *_: self._mend(), say))
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        self.refresh()

    def refresh(self) -> None:
        """Show what the link is like now."""
        state = self._link.state
        self._text.show_text(tr(STATES[state]))
        self._text.setToolTip(f"<p>{self._link.sentence or tr(HINTS[state])}</p>")
        if state is Connection.CLOSED:
            self._button.setText(tr("Start"))
            self._button.setToolTip(tr("Start the daemon, so that the first dream comes sooner"))
        else:
            self._button.setText(tr("Log"))
            self._button.setToolTip(tr("Show what the daemon has written down"))
        if self._log is not None:
            self._log.refresh()

    def start_daemon(self) -> None:
        """Connect; how that goes is seen in the line."""
        self._link.open(_Starter(self._link, self._say))

    def _mend(self) -> None:
        if self._link.state is Connection.CLOSED:
            self.start_daemon()
            return
        if self._log is None:
            self._log = LogWindow(self, self._link, self.start_daemon)
        self._log.open_again()


class _Starter:
    """Listens until the connection is there."""

    def __init__(self, link: Link, say: Callable[[str], None]) -> None:
        self._link = link
        self._say = say

    def waiting(self, sentence: str) -> None:
        """The line shows it."""

    def connected(self) -> None:
        self._link.leave(self)

    def received(self, header: Header, frames: list[bytearray]) -> None:
        """Nothing was asked for."""

    def lost(self, reason: str) -> None:
        self._say(reason)

    def fail(self, reason: str) -> None:
        self._link.leave(self)
        self._say(reason)
