"""The daemon's log, in a window of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dreamlink.client import discovery, private_files

from ..model.session import Session
from ..qt.i18n import tr
from ..qt.listener import ConnectionState
from ..qt.qt import QtGui, QtWidgets
from .widgets.text_button import text_button

SHOWN_MAX = 1 << 16  # bytes at the end of each file
LETTERS, LINES = 90, 24  # the window's size in characters


class LogWindow(QtWidgets.QDialog):  # type: ignore[misc]
    """The ends of the daemon's log files. Not modal."""

    def __init__(self, parent: Any, session: Session, start: Callable[[], None]) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("log_window")
        self.setWindowTitle(tr("Dreamlayer's log"))
        self._reason = QtWidgets.QLabel()
        self._reason.setObjectName("log_reason")
        self._reason.setWordWrap(True)
        self._text = QtWidgets.QPlainTextEdit()
        self._text.setObjectName("log")
        self._text.setReadOnly(True)
        self._text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self._start = text_button("Start", "Start the daemon", "log_start", start)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._start)
        row.addStretch()
        row.addWidget(
            text_button("Copy", "Copy all of it, for a bug report", "log_copy", self._copy)
        )
        row.addWidget(text_button("Close", "Close this window", "log_close", self.close))
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._reason)
        column.addWidget(self._text)
        column.addLayout(row)
        letter = self._text.fontMetrics()
        self.resize(LETTERS * letter.averageCharWidth(), LINES * letter.height())

    def open_again(self) -> None:
        """Show the window with the files' current content."""
        self.show()
        self.refresh()
        self.raise_()
        self.activateWindow()

    def refresh(self) -> None:
        """Show the current state of the connection and of the files."""
        state, sentence = self._session.connection.value
        self._reason.setText(sentence)
        self._reason.setVisible(bool(sentence))
        self._start.setEnabled(state in (ConnectionState.CLOSED, ConnectionState.FAILED))
        if self.isVisible():
            self._text.setPlainText(read_logs())
            self._text.moveCursor(QtGui.QTextCursor.MoveOperation.End)

    def _copy(self) -> None:
        QtWidgets.QApplication.clipboard().setText(self._text.toPlainText())


def read_logs() -> str:
    """The ends of the daemon's log and of its output, each under its file's path."""
    paths = (
        discovery.home() / discovery.SAID_FILE,
        discovery.daemon_folder() / discovery.LOG_FILE,
    )
    return "\n\n".join(f"{path}\n{_end(path)}" for path in paths)


def _end(path: Path) -> str:
    try:
        with open(private_files.open_own(path, os.O_RDONLY), "rb") as file:
            file.seek(max(path.stat().st_size - SHOWN_MAX, 0))
            return file.read(SHOWN_MAX).decode("utf-8", "replace").strip() or tr("(empty)")
    except OSError:
        return tr("(missing)")
