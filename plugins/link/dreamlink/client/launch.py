"""Finding the daemon, and starting it when it does not run."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from . import discovery, private_files
from .client import Client, LinkError, StaleDaemon, WrongVersion
from .wish import Wish

START_TIMEOUT = 60.0  # seconds; slow with a cold disk or a virus scanner
PAUSE = 0.1  # seconds between two attempts
SAID_MAX = 1 << 18  # bytes of the file with daemons' output; a longer one is overwritten
SPACE_MIN = 100_000  # bytes; with less on the disk, a daemon can't write why it does not start
STARTING = "Starting the Dreamlayer daemon…"
STOPPING = "The Dreamlayer daemon is finishing its dreams; then a new one is started…"
OLDER = "An older Dreamlayer daemon is finishing its dreams; then the new one is started…"
LOOKING = "The connection was lost: looking for the Dreamlayer daemon…"
STOP_TIMEOUT = 900.0  # seconds that a daemon may take to finish its dreams
LOOKS = 3  # attempts to find a daemon whose connection was lost

# Variables that a host sets for its own libraries, and all that begin with PYTHON; they would break
# the daemon's Python, or have it import other modules.
HOSTS_OWN = (
    "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "GI_TYPELIB_PATH", "QT_PLUGIN_PATH",
    "QT_QPA_PLATFORM", "__PYVENV_LAUNCHER__",
)  # fmt: skip


def connecting(command: Sequence[str] | None = None) -> Generator[str, None, Client]:
    """Find or start the daemon, step by step: for front ends that must not block.

    Yields a sentence for the user whenever the caller should wait `PAUSE` seconds and continue; the
    generator's value is a greeted Client. `command` starts the daemon; the default is the command
    that the installer stored.

    Raises:
        LinkError: the daemon can't be started or reached.
    """
    client = yield from _running()
    if client is not None:
        return client
    old = discovery.find()
    start = _launch(command or discovery.launch_command())
    end = time.monotonic() + START_TIMEOUT
    wrong: WrongVersion | None = None
    with contextlib.closing(start):
        while time.monotonic() < end:
            yield OLDER if _is_waiting() else STARTING
            try:
                client = yield from _greeting()
            except WrongVersion as error:  # the old daemon, until it is replaced
                if not error.older or discovery.find() != old:
                    raise
                wrong = error
            if client is not None:
                return client
            patience = start.patience()
            if patience is not None:
                end = min(end, time.monotonic() + patience)
            elif _is_waiting():
                end = time.monotonic() + START_TIMEOUT  # it gives up by itself
        why = start.give_up()
        raise wrong or LinkError(why)


def _is_waiting() -> bool:
    """Whether a new daemon waits for one of an older protocol to finish its dreams."""
    info = discovery.find()
    return info is not None and info.is_waiting


def returning() -> Generator[str, None, Client | None]:
    """Find the daemon again after a connection was lost, step by step like `connecting`.

    No daemon is started, because a new one would not know the dreams: the value is None then.

    Raises:
        LinkError: the daemon runs, but does not accept the connection.
    """
    for _ in range(LOOKS):
        client = yield from _greeting()
        if client is not None or discovery.find() is None:
            return client
        yield LOOKING
    return None


def connect(command: Sequence[str] | None = None, show: Any = lambda sentence: None) -> Client:
    """Like `connecting`, but blocks; `show` is called with each sentence."""
    steps = connecting(command)
    while True:
        try:
            show(next(steps))
        except StopIteration as done:
            client: Client = done.value
            return client
        time.sleep(PAUSE)


def connect_to_running() -> Client | None:
    """The daemon if it runs, else None; raises LinkError if it does not accept the connection."""
    info = discovery.find()
    if info is None or info.is_waiting:
        return None
    try:
        return Client.connect(info)
    except StaleDaemon:
        return None


def _running() -> Generator[str, None, Client | None]:
    """The daemon if it runs, has our version and is not stopping; else None when it has ended."""
    end = time.monotonic() + STOP_TIMEOUT
    while time.monotonic() < end:
        try:
            client = yield from _greeting()
        except WrongVersion as error:
            if not error.older:
                raise
            return None  # a daemon that is started now replaces it
        if client is None or not client.stopping:
            return client
        client.close()
        yield STOPPING
    raise LinkError("The Dreamlayer daemon is stopping, but has not ended. Try again later.")


def _greeting() -> Generator[str, None, Client | None]:
    info = discovery.find()
    if info is None or info.is_waiting:
        return None
    try:
        steps = Client.greeting(info)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                client: Client = done.value
                return client
            yield "Waiting for the Dreamlayer daemon…"
    except StaleDaemon:
        return None


class _DaemonProcess:
    """The daemon's process, started here."""

    def __init__(self, process: subprocess.Popen[bytes], before: int) -> None:
        self._process = process
        self._before = before  # bytes of the file with daemons' output

    def patience(self) -> float | None:
        """Seconds that waiting still makes sense; None: as long as a start may take."""
        status = self._process.poll()
        if status is None:
            return None
        # Another client may have been faster: then its daemon holds the lock and answers soon.
        return 5.0 if status == 0 else 0.0

    def give_up(self) -> str:
        """End the process; returns a sentence on what went wrong."""
        self._process.kill()
        return (
            f"The Dreamlayer daemon did not start. Its last output: {_last_line(self._before)}"
            f" All of it is in {discovery.home() / discovery.SAID_FILE}; the log is"
            f" {discovery.daemon_folder() / discovery.LOG_FILE}."
        )

    def close(self) -> None:
        """The daemon outlives the client that started it."""


def _launch(command: Sequence[str] | None) -> _DaemonProcess | Wish:
    """Start the daemon, or ask for it where this program runs in a sandbox."""
    try:
        home = discovery.home()
    except discovery.NoFolder as error:
        raise LinkError(str(error)) from error
    if not command and not discovery.snap():  # which can't see whether there is one
        raise LinkError(
            "The program that dreams is not installed for this user: click Install… where the"
            " plug-in offers that, or run Dreamlayer's install.py."
        )
    if not command or discovery.is_sandboxed():
        return _wish()
    return _start(command, home)


def _wish() -> Wish:
    try:
        return Wish()
    except private_files.WrongOwner as error:
        raise LinkError(str(error)) from error
    except OSError as error:
        raise LinkError(
            "The Dreamlayer daemon is not running, and this program can't ask for it from its"
            f" sandbox ({error.filename!s:.200}: {error.strerror}). Run `dreamlayer serve` in a"
            " terminal, then try again."
        ) from error


def _start(command: Sequence[str], home: Path) -> _DaemonProcess:
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        private_files.make_private(home)  # first: nothing in it is used before
    except private_files.WrongOwner as error:
        raise LinkError(str(error)) from error
    except OSError as error:
        raise LinkError(
            f"Dreamlayer's folder {home!s:.200} can't be created ({error.strerror}): set the"
            " environment variable DREAMLAYER_HOME to a folder of your own."
        ) from error
    try:
        with open(private_files.open_to_append(home / discovery.SAID_FILE), "ab") as output:
            if output.tell() > SAID_MAX:
                output.truncate(0)
            before = output.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=_folder_of_no_modules(),
                env=environment(home),
                start_new_session=True,  # it survives the host, and the host's Ctrl-C
                creationflags=flags,
            )
            return _DaemonProcess(process, before)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not os.access(home, os.W_OK):
            raise LinkError(
                f"Dreamlayer's folder {home!s:.200} can't be written ({error.strerror}): make it"
                " writable, or set the environment variable DREAMLAYER_HOME to another folder."
            ) from error
        raise LinkError(
            f"The Dreamlayer daemon can't be started ({error}). Run Dreamlayer's install.py again."
        ) from error


def environment(home: Path) -> dict[str, str]:
    """The environment variables for the daemon and the installer: without the host's own."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in HOSTS_OWN and not name.startswith("PYTHON")
    }
    if variables.get("DREAMLAYER_HOME"):
        variables["DREAMLAYER_HOME"] = str(home)  # a relative path would be another folder there
    return variables


def _folder_of_no_modules() -> str:
    """The daemon's current folder, in which only the system's administrator can put anything.

    `python -m dreamlayer` imports from the current folder before Dreamlayer's first line runs.
    """
    return os.environ.get("SYSTEMROOT", "C:\\Windows") if sys.platform == "win32" else "/"


def _last_line(before: int) -> str:
    """The last line of the daemon's output after the first `before` bytes."""
    try:
        path = discovery.home() / discovery.SAID_FILE
        with open(private_files.open_own(path, os.O_RDONLY), "rb") as output:
            output.seek(before)
            lines = output.read(SAID_MAX).decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    printed = [line.strip() for line in lines if line.strip()]
    if printed:
        return printed[-1][:300]
    with contextlib.suppress(OSError):
        if shutil.disk_usage(discovery.home()).free < SPACE_MIN:
            return "(none: the disk is full, free some space.)"
    return "(none)"
