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

from .. import VERSION
from ..wire.messages import PROTOCOL, new_id
from . import discovery
from .client import Client, LinkError, StaleDaemon, WrongVersion

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

# Variables that a host sets for its own libraries; they would break the daemon's Python.
HOSTS_OWN = (
    "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONIOENCODING", "LD_LIBRARY_PATH",
    "LD_PRELOAD", "DYLD_LIBRARY_PATH", "GI_TYPELIB_PATH", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM",
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
    process, before = _launch(command or discovery.launch_command())
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        yield STARTING
        client = yield from _greeting()
        if client is not None:
            return client
        if process.poll() is not None:
            # Another client may have been faster: then its daemon holds the lock and answers soon.
            end = min(end, time.monotonic() + (5.0 if process.returncode == 0 else 0.0))
    process.kill()
    raise LinkError(
        f"The Dreamlayer daemon did not start. Its last output: {_last_line(before)}"
        f" All of it is in {discovery.home() / discovery.SAID_FILE}; the log is"
        f" {discovery.daemon_folder() / discovery.LOG_FILE}."
    )


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
    if info is None:
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
            yield from _send_away(error)
            return None
        if client is None or not client.stopping:
            return client
        client.close()
        yield STOPPING
    raise LinkError("The Dreamlayer daemon is stopping, but has not ended. Try again later.")


def _send_away(reason: WrongVersion) -> Generator[str, None, None]:
    """Ask a daemon of an older protocol to stop after its dreams, and wait until it has ended."""
    info = discovery.find()
    if info is None:
        return
    end = time.monotonic() + STOP_TIMEOUT
    try:
        with contextlib.closing(Client(info)) as client:
            client.send({"op": "hello", "id": new_id(), "protocol": PROTOCOL, "version": VERSION})
            client.send({"op": "stop", "id": new_id(), "finish": True})
            while time.monotonic() < end:
                yield OLDER
                client.read()
    except LinkError:
        return  # it has ended
    raise reason


def _greeting() -> Generator[str, None, Client | None]:
    info = discovery.find()
    if info is None:
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


def _launch(command: Sequence[str] | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start the daemon. Returns its process, and the length of the output file before."""
    try:
        home = discovery.home()
    except discovery.NoFolder as error:
        raise LinkError(str(error)) from error
    if not command:
        raise LinkError(
            "The Dreamlayer daemon is not running and not installed for this user."
            " Run Dreamlayer's install.py, or start it with `dreamlayer serve`."
        )
    if _sandboxed():
        raise LinkError(
            "The Dreamlayer daemon is not running, and this program runs in a sandbox from which it"
            " can't be started. Run `dreamlayer serve` in a terminal, then try again."
        )
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LinkError(
            f"Dreamlayer's folder {home!s:.200} can't be created ({error.strerror}): set the"
            " environment variable DREAMLAYER_HOME to a folder of your own."
        ) from error
    try:
        path = home / discovery.SAID_FILE
        long = path.exists() and path.stat().st_size > SAID_MAX
        with path.open("wb" if long else "ab") as output:
            before = output.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=home,
                env=_environment(home),
                start_new_session=True,  # it survives the host, and the host's Ctrl-C
                creationflags=flags,
            )
            return process, before
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not os.access(home, os.W_OK):
            raise LinkError(
                f"Dreamlayer's folder {home!s:.200} can't be written ({error.strerror}): make it"
                " writable, or set the environment variable DREAMLAYER_HOME to another folder."
            ) from error
        raise LinkError(
            f"The Dreamlayer daemon can't be started ({error}). Run Dreamlayer's install.py again."
        ) from error


def _environment(home: Path) -> dict[str, str]:
    """The daemon's environment variables."""
    variables = {name: value for name, value in os.environ.items() if name not in HOSTS_OWN}
    if variables.get("DREAMLAYER_HOME"):
        variables["DREAMLAYER_HOME"] = str(home)  # a relative path would be another folder there
    return variables


def _sandboxed() -> bool:
    """Whether this process runs in a Flatpak or Snap, which can't see the daemon's files."""
    return Path("/.flatpak-info").exists() or "SNAP_NAME" in os.environ


def _last_line(before: int) -> str:
    """The last line of the daemon's output after the first `before` bytes."""
    try:
        with (discovery.home() / discovery.SAID_FILE).open("rb") as output:
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
