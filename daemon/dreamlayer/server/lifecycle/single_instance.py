"""Single-instance lock and session token."""

from __future__ import annotations

import secrets
import time

from filelock import BaseFileLock, FileLock, Timeout

from dreamlayer.server.lifecycle.private_files import make_private
from dreamlink.client import discovery

LOCK_FILE = "daemon.lock"
PATIENCE = 20.0  # seconds to wait for a daemon that is starting or stopping


class AlreadyRunning(Exception):
    """Another daemon of this user is running; the text has its process number, if known."""


def claim() -> BaseFileLock:
    """Acquire the lock that makes this process the user's only daemon, until it ends.

    Raises:
        AlreadyRunning: another daemon holds it.
        WrongOwner: Dreamlayer's folder belongs to another user.
        OSError: it can't be written.
    """
    make_private(discovery.home())
    lock = FileLock(discovery.home() / LOCK_FILE)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            info = discovery.find()
            if info is not None:
                raise AlreadyRunning(
                    f"The Dreamlayer daemon is already running (process {info.pid})."
                ) from None
            if time.monotonic() > end:  # it neither publishes its address nor ends
                raise AlreadyRunning(
                    "Another Dreamlayer daemon is already running, but it can't be reached."
                ) from None
        else:
            return lock


def new_token() -> str:
    """A new token, which clients read from the discovery file and must present to connect."""
    return secrets.token_urlsafe(32)
