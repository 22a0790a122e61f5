"""Finding the daemon, and starting it when it does not run."""

from __future__ import annotations

import contextlib
import os
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

START_TIMEOUT = 60.0  # seconds; a cold disk and a virus scanner take their time
PAUSE = 0.1  # seconds between two looks
SAID_MAX = 1 << 18  # bytes of what daemons have printed; if there are more, it begins anew
STARTING = "Starting the Dreamlayer daemon…"
STOPPING = "The Dreamlayer daemon finishes its dreams and stops; then a new one is started…"
OLDER = "An older Dreamlayer daemon finishes its dreams; then the new one is started…"
LOOKING = "The connection was lost: looking for the Dreamlayer daemon…"
STOP_TIMEOUT = 900.0  # seconds that a daemon may take to finish its dreams
LOOKS = 3  # for a daemon whose connection was lost

# What a host sets for its own libraries would break the daemon's Python.
HOSTS_OWN = (
    "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONIOENCODING", "LD_LIBRARY_PATH",
    "LD_PRELOAD", "DYLD_LIBRARY_PATH", "GI_TYPELIB_PATH", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM",
)  # fmt: skip


def connecting(command: Sequence[str] | None = None) -> Generator[str, None, Client]:
    """Find or start the daemon, step by step: for front ends that must not block.

    Yields a sentence for the user each time that the caller should wait `PAUSE` seconds and go
    on; the generator's value is a greeted Client. `command` starts the daemon; by default it is
    what the installer wrote down.

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
            # Perhaps another client was quicker: then its daemon holds the lock and answers soon.
            end = min(end, time.monotonic() + (5.0 if process.returncode == 0 else 0.0))
    process.kill()
    raise LinkError(
        f"The Dreamlayer daemon did not start. Its last words: {_last_words(before)}"
        f" All that it said: {discovery.home() / discovery.SAID_FILE}; its log is"
        f" {discovery.LOG_FILE} beside it."
    )


def returning() -> Generator[str, None, Client | None]:
    """Find the daemon again after a connection was lost, step by step as `connecting`.

    No daemon is started: one that has died knows no dreams any more. The value is None then.

    Raises:
        LinkError: there is one, but it can't be spoken to.
    """
    for _ in range(LOOKS):
        client = yield from _greeting()
        if client is not None or discovery.find() is None:
            return client
        yield LOOKING
    return None


def connect(command: Sequence[str] | None = None, show: Any = lambda sentence: None) -> Client:
    """Like `connecting`, but waits; `show` is called with a sentence when it takes a while."""
    steps = connecting(command)
    while True:
        try:
            show(next(steps))
        except StopIteration as done:
            client: Client = done.value
            return client
        time.sleep(PAUSE)


def connect_to_running() -> Client | None:
    """The daemon if it runs, else None; raises LinkError if it runs but can't be spoken to."""
    info = discovery.find()
    if info is None:
        return None
    try:
        return Client.connect(info)
    except StaleDaemon:
        return None


def _running() -> Generator[str, None, Client | None]:
    """The daemon if it runs, is of our time and not about to stop; else None when it has gone."""
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
    raise LinkError("The Dreamlayer daemon is stopping, but does not end. Try again later.")


def _send_away(reason: WrongVersion) -> Generator[str, None, None]:
    """Ask a daemon of an older protocol to stop when its dreams are done; wait until it has."""
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
        return  # it has gone
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
    """Start the daemon; also how long the file of what it says was before that."""
    if not command:
        raise LinkError(
            "The Dreamlayer daemon is not running and not installed for this user."
            " Run Dreamlayer's install.py, or start it with `dreamlayer serve`."
        )
    if _sandboxed():
        raise LinkError(
            "The Dreamlayer daemon is not running, and this program lives in a sandbox from which"
            " it can't be started. Run `dreamlayer serve` in a terminal, then try again."
        )
    home = discovery.home()
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = home / discovery.SAID_FILE
        long = path.exists() and path.stat().st_size > SAID_MAX
        with path.open("wb" if long else "ab") as said:
            before = said.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=home,
                env={k: v for k, v in os.environ.items() if k not in HOSTS_OWN},
                start_new_session=True,  # it outlives the host, and the host's Ctrl-C
                creationflags=flags,
            )
            return process, before
    except OSError as error:
        raise LinkError(
            f"The Dreamlayer daemon can't be started ({error}). Run Dreamlayer's install.py again."
        ) from error


def _sandboxed() -> bool:
    """Whether this process is in a Flatpak or Snap, where the daemon's files are not."""
    return Path("/.flatpak-info").exists() or "SNAP_NAME" in os.environ


def _last_words(before: int) -> str:
    """The last line that was said after the first `before` bytes."""
    try:
        with (discovery.home() / discovery.SAID_FILE).open("rb") as said:
            said.seek(before)
            lines = said.read(SAID_MAX).decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1][:300] if spoken else "(none)"
