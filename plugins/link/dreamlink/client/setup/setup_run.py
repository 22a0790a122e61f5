"""One installation: unpacks, runs the installer in the background, and follows what it says.

Nothing here waits: a host calls `poll` from its event loop, as often as it likes, and shows what
has changed.
"""

from __future__ import annotations

import enum
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator
from pathlib import Path

from .. import discovery
from .command import command, variables
from .output import SetupIsRunning, SetupOutput
from .unpacking import UnpackError, unpacking

KEPT = 2000  # lines
STEP = 0.03  # seconds of unpacking in one poll
SHOWN = 120  # characters of the present line
AGAIN = re.compile(r"\brun \S+ again\b")  # the installer, by whatever name it was started
BAR = "━"  # what pip draws when a download is done
PATIENCE = 5.0  # seconds that a cancelled installer has to end
UNPACKING = "Unpacking the installer"
STARTING = "Starting the installer"
CANCELLED = "The installation was cancelled; it can be begun again at any time."
DONE = "Dreamlayer is installed: you can dream now."
NOTHING = "The installer has ended, but Dreamlayer is not installed; Details has what it said."


class SetupPhase(enum.Enum):
    """How far an installation is."""

    READY = enum.auto()  # not begun
    UNPACKING = enum.auto()
    RUNNING = enum.auto()
    ENDING = enum.auto()  # cancelled, until the installer has ended
    DONE = enum.auto()
    FAILED = enum.auto()
    CANCELLED = enum.auto()


class SetupRun:
    """An installation, which can be begun again when it has ended.

    Attributes:
        phase: how far it is.
        lines: what the installer said.
    """

    def __init__(self) -> None:
        self.phase = SetupPhase.READY
        self.lines: deque[str] = deque(maxlen=KEPT)
        self._line = ""
        self._began = 0.0
        self._steps: Generator[float, None, Path] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._output: SetupOutput | None = None
        self._killed_at = 0.0  # when a cancelled installer is killed

    @property
    def is_busy(self) -> bool:
        return self.phase in (SetupPhase.UNPACKING, SetupPhase.RUNNING, SetupPhase.ENDING)

    @property
    def text(self) -> str:
        """What it does, and for how long by now; or how it ended."""
        if not self.is_busy:
            return self._line
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        line = self._line if len(self._line) <= SHOWN else f"{self._line[:SHOWN]}…"
        return f"{line} ({minutes}:{seconds:02})"

    def start(self, archive: Path) -> None:
        """Begin, unless it is under way; a failure is a phase, nothing is raised."""
        if self.is_busy:
            return
        self._began = time.monotonic()
        self.lines.clear()
        try:
            home = discovery.home()
            self._output = SetupOutput(home)
        except (OSError, SetupIsRunning) as error:
            self._end(SetupPhase.FAILED, f"{error}")
            return
        self._steps = unpacking(archive, home)
        self.phase, self._line = SetupPhase.UNPACKING, UNPACKING

    def poll(self) -> None:
        """Do what can be done at once."""
        if self._steps is not None:
            self._unpack(self._steps)
        elif self._process is not None and self._output is not None:
            code = self._process.poll()  # first: then all that it said is in the file
            self._take(self._output.read(to_the_end=code is not None))
            if code is not None:
                self._finish(code)
            elif self.phase is SetupPhase.ENDING and time.monotonic() > self._killed_at:
                _terminate(self._process, by_force=True)

    def cancel(self) -> None:
        """Stop; the installer may take some seconds to end."""
        if self._steps is not None:
            self._end(SetupPhase.CANCELLED, CANCELLED)
        elif self.phase is SetupPhase.RUNNING and self._process is not None:
            self._killed_at = time.monotonic() + PATIENCE
            self.phase, self._line = SetupPhase.ENDING, "Cancelling"
            _terminate(self._process, by_force=False)

    def _unpack(self, steps: Generator[float, None, Path]) -> None:
        end = time.monotonic() + STEP
        try:
            while time.monotonic() < end:
                self._line = f"{UNPACKING}: {next(steps):.0%}"
        except StopIteration as done:
            self._steps = None
            self._launch(done.value)
        except UnpackError as error:
            self._end(SetupPhase.FAILED, str(error))

    def _launch(self, folder: Path) -> None:
        assert self._output is not None
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW
        try:
            self._process = subprocess.Popen(
                command(),
                stdin=subprocess.DEVNULL,
                stdout=self._output.descriptor,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=variables(folder.parent),
                start_new_session=True,  # so that it is ended with all that it starts
                creationflags=flags,
            )
        except (OSError, ValueError) as error:  # ValueError: an odd quote in the arguments
            self._end(SetupPhase.FAILED, f"The installer can't be started: {error}.")
            return
        self.phase, self._line = SetupPhase.RUNNING, STARTING

    def _take(self, lines: list[str]) -> None:
        self.lines.extend(lines)
        said = [line.strip() for line in lines if line.strip() and BAR not in line]
        if said and self.phase is SetupPhase.RUNNING:
            self._line = said[-1]

    def _finish(self, code: int) -> None:
        if self.phase is SetupPhase.ENDING:
            self._end(SetupPhase.CANCELLED, CANCELLED)
        elif code == 0 and discovery.launch_command():
            self._end(SetupPhase.DONE, DONE)
        elif code == 0:
            self._end(SetupPhase.FAILED, NOTHING)
        elif any(self.lines):
            self._end(SetupPhase.FAILED, AGAIN.sub("try again", self._last_sentence()))
        else:
            self._end(SetupPhase.FAILED, f"The installer ended without a word (status {code}).")

    def _last_sentence(self) -> str:
        """The installer's last words, a sentence that says what to do; its lines end with ":"."""
        *before, last = (line.strip() for line in self.lines if line.strip())
        return f"{before[-1]} {last}" if before and before[-1].endswith(":") else last

    def _end(self, phase: SetupPhase, line: str) -> None:
        self.phase, self._line = phase, line
        if self._steps is not None:
            self._steps.close()
        if self._output is not None:
            self._output.close()
        self._steps = self._process = self._output = None


def _terminate(process: subprocess.Popen[bytes], by_force: bool) -> None:
    """End the installer and what it has started; but for the daemon, which is on its own."""
    if sys.platform == "win32":
        argv = ["taskkill", "/f", "/t", "/pid", str(process.pid)]
        subprocess.Popen(argv, creationflags=subprocess.CREATE_NO_WINDOW)
        return
    try:
        os.killpg(process.pid, signal.SIGKILL if by_force else signal.SIGTERM)
    except ProcessLookupError:
        return  # it has just ended
