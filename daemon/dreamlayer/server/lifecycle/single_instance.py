"""Single-instance lock and session token."""

from __future__ import annotations

import os
import secrets
import time

from filelock import BaseFileLock, FileLock, Timeout

from dreamlayer.server.lifecycle.private_files import make_private
from dreamlink import VERSION
from dreamlink.client import discovery
from dreamlink.client.discovery import DaemonInfo
from dreamlink.wire.messages import PROTOCOL

LOCK_FILE = "daemon.lock"
NOWHERE = "tcp://127.0.0.1:0"  # the endpoint of a daemon that waits to start
PATIENCE = 20.0  # seconds to wait for a daemon that is starting or stopping
OLDER_PATIENCE = 1200.0  # … and for one of an older protocol to finish its dreams


class AlreadyRunning(Exception):
    """Another daemon of this user is running; the text has its process number, if known."""


def claim() -> BaseFileLock:
    """Acquire the lock that makes this process the user's only daemon, until it ends.

    A daemon of an older protocol, which knows no other proof than to be sent the token, is not
    asked to make way: it finishes its dreams and ends when the discovery file names another one.

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
            if info is not None and info.protocol < PROTOCOL:
                info = DaemonInfo(PROTOCOL, VERSION, NOWHERE, "", os.getpid())
                discovery.publish(info)
                end = time.monotonic() + OLDER_PATIENCE
            if info is not None and not info.is_waiting:
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
