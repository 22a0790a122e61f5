"""The installation in a window: what will be fetched, then what the installer says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dreamlink.client.setup import offer
from dreamlink.client.setup.setup_run import SetupPhase

from ...model import installing
from ...qt.i18n import tr
from ...qt.qt import QtGui, QtWidgets
from ..widgets.breaking_label import BreakingLabel
from ..widgets.text_button import text_button

LETTERS, LINES = 76, 20  # the window's size in characters


class InstallWindow(QtWidgets.QDialog):  # type: ignore[misc]
    """Not modal: one can paint meanwhile, and close it."""

    def __init__(self, parent: Any, start: Callable[[], None], cancel: Callable[[], None]) -> None:
        super().__init__(parent)
        self._run = installing.setup_run
        self.setObjectName("install_window")
        self.setWindowTitle(tr("Install Dreamlayer"))
        self._what = BreakingLabel("install_what")
        self._line = BreakingLabel("install_line")
        self._log = QtWidgets.QPlainTextEdit()
        self._log.setObjectName("install_log")
        self._log.setReadOnly(True)
        self._log.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self._start = text_button("Install", "Fetch and install it now", "install_start", start)
        self._cancel = text_button("Cancel", "Stop the installation", "install_stop", cancel)
        self._copy = text_button(
            "Copy", "Copy all of it, for a bug report", "install_copy", self._copy_log
        )
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._start)
        row.addWidget(self._cancel)
        row.addStretch()
        row.addWidget(self._copy)
        row.addWidget(text_button("Close", "Close this window", "install_close", self.close))
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._line)
        column.addWidget(self._what)
        column.addWidget(self._log, 1)
        column.addStretch()
        column.addLayout(row)
        letter = self.fontMetrics()
        self.resize(LETTERS * letter.averageCharWidth(), LINES * letter.height())

    def open_again(self) -> None:
        """Show the window."""
        self.show()
        self.raise_()
        self.activateWindow()

    def refresh(self, can_install: bool) -> None:
        """Show how far the installation is, and whether it can be begun."""
        run = self._run
        said = "\n".join(run.lines).strip("\n")
        begun = run.is_busy or bool(said)
        self._what.show_text(tr(offer.what()))
        self._what.setHidden(begun)
        self._line.show_text(run.text)
        self._line.setVisible(bool(run.text))
        self._log.setVisible(begun)
        if said != self._log.toPlainText():
            self._log.setPlainText(said)
            self._log.moveCursor(QtGui.QTextCursor.MoveOperation.End)
        self._copy.setVisible(begun)
        self._start.setText(tr("Try again") if run.phase is SetupPhase.FAILED else tr("Install"))
        self._start.setVisible(can_install)
        self._cancel.setVisible(run.is_busy)
        self._cancel.setEnabled(run.phase is not SetupPhase.ENDING)

    def _copy_log(self) -> None:
        QtWidgets.QApplication.clipboard().setText(self._log.toPlainText())
