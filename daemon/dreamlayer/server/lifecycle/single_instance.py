"""That there is one daemon per user, in a folder that is this user's alone, with a fresh token."""

from __future__ import annotations

import secrets
import time

from filelock import BaseFileLock, FileLock, Timeout

from dreamlayer.server.lifecycle.private_files import private
from dreamlink.client import discovery

LOCK_FILE = "daemon.lock"
PATIENCE = 20.0  # seconds to wait for a daemon that is just starting or stopping


class AlreadyRunning(Exception):
    """Another daemon of this user runs; the text says so, with its process number."""


def claim() -> BaseFileLock:
    """Become this user's daemon: the lock, held until this process ends.

    Raises:
        AlreadyRunning: another daemon holds it.
        NotOurs: Dreamlayer's folder belongs to another user.
        OSError: it can't be written.
    """
    private(discovery.home())
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
            if time.monotonic() > end:  # it neither publishes where it is nor goes away
                raise AlreadyRunning(
                    "Another Dreamlayer daemon is already running, but can't be reached."
                ) from None
        else:
            return lock


def new_token() -> str:
    """The password of this run; whoever can read the discovery file may connect."""
    return secrets.token_urlsafe(32)
