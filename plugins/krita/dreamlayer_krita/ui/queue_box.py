"""The dreams that are not over: the first one is being dreamed, the others wait."""

from __future__ import annotations

from dreamlink.session.dream import State

from ..model.session import RunningJob, Session
from ..qt.i18n import tr
from ..qt.qt import QtWidgets
from .widgets.elided_label import ElidedLabel
from .widgets.fields import tool_tip
from .widgets.icon_button import IconButton
from .widgets.scroll_column import LimitedScrollColumn

LINES_MIN, LINES_MAX = 2, 6  # of text; with more dreams it scrolls


class QueueBox(LimitedScrollColumn):
    """A row for each job that is not over."""

    def __init__(self, session: Session) -> None:
        inside = QtWidgets.QWidget()
        self._column = QtWidgets.QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        super().__init__(inside, LINES_MIN, LINES_MAX)
        self._rows: dict[RunningJob, _Row] = {}
        self.setObjectName("queue")
        self.setVisible(False)
        session.jobs.subscribe(self._show)

    def _show(self, jobs: list[RunningJob]) -> None:
        """Show these jobs, in this order."""
        for job in [job for job in self._rows if job not in jobs]:
            row = self._rows.pop(job)
            self._column.removeWidget(row)
            row.setVisible(False)
            row.deleteLater()  # its button's slot may be running
        for job in jobs:
            if job not in self._rows:
                self._rows[job] = _Row(job)
                self._column.addWidget(self._rows[job])
            self._rows[job].refresh(waits=job is not jobs[0])
        self.setVisible(bool(jobs))
        self.updateGeometry()


class _Row(QtWidgets.QWidget):  # type: ignore[misc]
    """One dream: its layer's name, its progress, and a button that cancels it."""

    def __init__(self, job: RunningJob) -> None:
        super().__init__()
        self._job = job
        self.setObjectName("job")
        name = ElidedLabel()
        name.show_text(job.source.name)
        self._status = QtWidgets.QLabel()
        self._status.setObjectName("status")
        self._status.setWordWrap(True)
        self._waits = QtWidgets.QLabel(tr("waiting"))
        self._waits.setToolTip(tool_tip("It begins when the dreams above it are done"))
        self._bar = QtWidgets.QProgressBar()
        self._bar.setObjectName("progress")
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(self.fontMetrics().height() // 2)
        cancel = IconButton(
            "cancel_job", "dialog-cancel", "Cancel this dream; nothing is added", job.cancel
        )
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        grid.addWidget(name, 0, 0)
        grid.addWidget(self._waits, 0, 1)
        grid.addWidget(cancel, 0, 2)
        grid.addWidget(self._status, 1, 0, 1, 3)
        grid.addWidget(self._bar, 2, 0, 1, 3)

    def refresh(self, waits: bool) -> None:
        """Show the job's progress; for one that waits, only that it waits."""
        job = self._job
        self._waits.setVisible(waits)
        self._status.setHidden(waits)
        self._status.setText(job.text)
        self._status.setToolTip(job.text)
        # A status that once took two lines keeps that height, or the docker would jump.
        tall = self._status.heightForWidth(self._status.width())
        self._status.setMinimumHeight(max(tall, self._status.minimumHeight()))
        self._bar.setHidden(waits or job.state is not State.RUNNING)
        if job.fraction is None:
            self._bar.setRange(0, 0)  # no known fraction: a moving bar
        else:
            self._bar.setRange(0, 100)
            self._bar.setValue(round(100 * job.fraction))
