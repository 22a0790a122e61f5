"""What is missing before the first dream, and a button that installs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dreamlink.client.setup.offer import SetupOffer
from dreamlink.client.setup.setup_run import SetupPhase

from ..model import installing
from ..model.session import Session
from ..qt.guard import guarded
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .widgets.breaking_label import BreakingLabel
from .widgets.scroll_column import LimitedScrollColumn
from .widgets.text_button import text_button
from .windows.install_window import InstallWindow

IDLE, BUSY = 1000, 150  # milliseconds between two looks
LINES_MIN, LINES_MAX = 3, 8  # of text


class InstallBox(QtWidgets.QWidget):  # type: ignore[misc]
    """Hidden where nothing is missing."""

    def __init__(self, session: Session, connect: Callable[[], None]) -> None:
        """`connect` is called when the daemon has been installed."""
        super().__init__()
        self.setObjectName("install_box")
        self._session = session
        self._connect = connect
        self._run = installing.setup_run
        self._phase = self._run.phase
        self._offer: SetupOffer | None = None
        self._window = InstallWindow(self, self._start, self._run.cancel)
        self._text = BreakingLabel("install_text")
        self._bar = QtWidgets.QProgressBar()
        self._bar.setRange(0, 0)  # how much there is to do is known to nobody
        self._bar.setTextVisible(False)
        policies = QtWidgets.QSizePolicy.Policy
        self._bar.setSizePolicy(policies.Ignored, policies.Fixed)  # takes what is left of the row
        self._bar.setMaximumHeight(self.fontMetrics().height() // 2)
        self._install = text_button(
            "Install…", "Show what will be fetched, and install it", "install", self._ask_or_start
        )
        self._cancel = text_button(
            "Cancel", "Stop the installation", "install_cancel", self._run.cancel
        )
        self._details = text_button(
            "Details", "Show what the installer says", "install_details", self._window.open_again
        )
        row = QtWidgets.QHBoxLayout()
        for button in (self._install, self._cancel, self._details):
            row.addWidget(button)
        row.addWidget(self._bar, 1)  # beside the buttons, as the docker has to fit small screens
        row.addStretch()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._area = LimitedScrollColumn(self._text, LINES_MIN, LINES_MAX)
        column.addWidget(self._area)
        column.addLayout(row)
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(guarded(self.refresh, session.say))
        self.refresh()
        self._timer.start()

    def refresh(self) -> None:
        """Let the installation go on, and show how far it is."""
        run = self._run
        run.poll()
        self._offer = None if run.is_busy else installing.offered()
        before, self._phase = self._phase, run.phase
        if before is not run.phase:
            self._tell_the_end()
        self._timer.setInterval(BUSY if run.is_busy else IDLE)
        self.setVisible(run.is_busy or self._offer is not None)
        self._show()
        self._window.refresh(self._can_install)

    @property
    def _can_install(self) -> bool:
        return self._offer is not None and self._offer.archive is not None

    def _show(self) -> None:
        run = self._run
        text = run.text or (tr(self._offer.sentence) if self._offer is not None else "")
        if text != self._text.whole:
            self._text.show_text(text)
            self._text.setToolTip(text)
            self._area.updateGeometry()
        failed = run.phase is SetupPhase.FAILED
        self._install.setText(tr("Try again") if failed else tr("Install…"))
        self._install.setVisible(self._can_install)
        self._bar.setVisible(run.is_busy)
        self._cancel.setVisible(run.is_busy)
        self._cancel.setEnabled(run.phase is not SetupPhase.ENDING)
        self._details.setVisible(run.is_busy or bool(run.lines))

    def _tell_the_end(self) -> None:
        """Say it where the box will not: it is hidden when nothing is missing any more."""
        if self._phase is SetupPhase.DONE:
            self._session.say(self._run.text)
            self._connect()
        elif self._phase is SetupPhase.FAILED and self._offer is None:
            self._session.say(self._run.text)

    def _ask_or_start(self) -> None:
        if self._phase is SetupPhase.FAILED:
            self._start()
        else:
            self._window.open_again()

    def _start(self) -> None:
        if self._offer is not None and self._offer.archive is not None:
            self._run.start(self._offer.archive)
            self.refresh()

    def hideEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        super().hideEvent(event)
        guarded(self._close_window, self._session.say)()

    def _close_window(self) -> None:
        if not self._run.is_busy and self._offer is None:  # else only the docker was hidden
            self._window.close()
