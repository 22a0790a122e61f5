"""Dreamlayer's folder is its user's alone: who can read it can speak to the daemon."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)


class NotOurs(OSError):
    """A folder or file that belongs to somebody else; the text says what to do."""


def private(folder: Path) -> Path:
    """Make `folder` if need be, and see that nobody else can look into it; returns it.

    Raises:
        NotOurs: it belongs to another user, who could read what is in it.
        OSError: it can't be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":  # on Windows the user's own folders are closed to other users
        _close(folder, 0o700)
    return folder


def secret(path: Path) -> Path:
    """See that nobody else can read a file that is there; returns it. Raises NotOurs, OSError."""
    if os.name == "posix":
        _close(path, 0o600)
    return path


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else can read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def _close(path: Path, mode: int) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise NotOurs(
            f"{path} belongs to another user (number {found.st_uid}), who could read what"
            " Dreamlayer keeps there. Give it to yourself, delete it, or set DREAMLAYER_HOME to a"
            " folder of your own."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(mode)
        log.warning("%s could be read by other users; it is closed to them now", path)
