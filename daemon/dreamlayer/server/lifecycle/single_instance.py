"""Single-instance lock, a folder for each machine's daemon, and session token."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from dreamlink import VERSION
from dreamlink.client import discovery
from dreamlink.client.discovery import DaemonInfo
from dreamlink.client.private_files import discard_planted, make_private
from dreamlink.wire.messages import PROTOCOL

LOCK_FILE = "daemon.lock"
NOWHERE = "tcp://127.0.0.1:0"  # the endpoint of a daemon that waits to start
PATIENCE = 20.0  # seconds to wait for a daemon that is starting or stopping
OLDER_PATIENCE = 1200.0  # … and for one of an older protocol to finish its dreams
LEFT_AGE = 30 * 86400.0  # seconds after which the folder of another machine is removed …
LEFT_MAX = 8  # … which is also done if more than so many are newer


class AlreadyRunning(Exception):
    """Another daemon of this user is running; the text has its process number, if known."""


def claim() -> BaseFileLock:
    """Acquire the lock that makes this process the user's only daemon here, until it ends.

    Here: on this machine. If no other machine's daemon uses Dreamlayer's folder itself, this one
    does from now on, else a folder inside it, see `discovery.daemon_folder`.

    A daemon of an older protocol, which knows no other proof than to be sent the token, is not
    asked to make way: it finishes its dreams and ends when the discovery file names another one.

    Raises:
        AlreadyRunning: another daemon holds it.
        WrongOwner: Dreamlayer's folder belongs to another user.
        OSError: it can't be written, or its file system has no locks.
    """
    home = make_private(discovery.home())
    lock, folder = _claim_own()
    if folder != home and (first := _locked(home)) is not None:
        discovery.claim_folder()  # the machine that used the folder itself has no daemon any more
        lock.release()
        lock = first
        with contextlib.suppress(OSError):
            (folder / LOCK_FILE).unlink()
            folder.rmdir()  # unless there is a log
    elif folder == home:
        discovery.claim_folder()
    _remove_left_folders(home / discovery.MACHINES)
    return lock


def _claim_own() -> tuple[BaseFileLock, Path]:
    """The lock in this machine's folder, and that folder."""
    end = time.monotonic() + PATIENCE
    while True:
        folder = make_private(discovery.daemon_folder())
        lock = _locked(folder, 0.2)
        if lock is not None:
            if folder == discovery.daemon_folder():
                return lock, folder
            lock.release()  # another machine took the folder meanwhile
            continue
        info = discovery.find()
        if info is not None and info.protocol < PROTOCOL:
            info = DaemonInfo(PROTOCOL, VERSION, NOWHERE, "", os.getpid())
            discovery.publish(info)
            end = time.monotonic() + OLDER_PATIENCE
        if info is not None and not info.is_waiting:
            raise AlreadyRunning(f"The Dreamlayer daemon is already running (process {info.pid}).")
        if time.monotonic() > end:  # it neither publishes its address nor ends
            raise AlreadyRunning(
                "Another Dreamlayer daemon is already running, but it can't be reached."
            )


def _locked(folder: Path, timeout: float = 0.0) -> BaseFileLock | None:
    """The lock of the daemon in `folder`; None if it is held. Raises OSError."""
    discard_planted(folder / LOCK_FILE)  # the lock empties the file
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        return None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise
        raise OSError(
            f"The file system of {folder} has no locks ({error.strerror}): set the environment"
            " variable DREAMLAYER_HOME to a folder on a disk of this computer."
        ) from error
    return lock


def _remove_left_folders(machines: Path) -> None:
    """Remove the folders of machines whose daemons have not run for long, or that are many."""
    with contextlib.suppress(OSError):
        own = discovery.daemon_folder()
        others = [path for path in machines.iterdir() if path != own]
        others.sort(key=_last_used, reverse=True)
        for rank, folder in enumerate(others):
            if rank >= LEFT_MAX or time.time() - _last_used(folder) > LEFT_AGE:
                lock = _locked(folder)
                if lock is not None:
                    lock.release()
                    shutil.rmtree(folder, ignore_errors=True)
        machines.rmdir()  # if it is empty


def _last_used(folder: Path) -> float:
    """When a file in the folder was last written, in seconds since 1970."""
    with contextlib.suppress(OSError):
        return max([folder.stat().st_mtime, *(path.stat().st_mtime for path in folder.iterdir())])
    return 0.0


def new_token() -> str:
    """A new token, which clients read from the discovery file and must present to connect."""
    return secrets.token_urlsafe(32)
