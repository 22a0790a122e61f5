"""Keeps Dreamlayer's folder private: whoever can read it can connect to the daemon."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)


class WrongOwner(OSError):
    """A folder or file that belongs to another user; the text says what to do."""


def make_private(folder: Path) -> Path:
    """Create `folder` if necessary and close it to other users; returns it.

    Raises:
        WrongOwner: it belongs to another user, who could read what is in it.
        OSError: it can't be created.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":  # on Windows the user's own folders are closed to other users
        _close(folder, 0o700)
    return folder


def close_secret(path: Path) -> Path:
    """Close an existing file to other users; returns it. Raises WrongOwner, OSError."""
    if os.name == "posix":
        _close(path, 0o600)
    return path


def write_secret(path: Path, text: str) -> None:
    """Write a file that no other user can read, completely or not at all."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def _close(path: Path, mode: int) -> None:
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise WrongOwner(
            f"{path} belongs to another user (number {status.st_uid}), who could read what"
            " Dreamlayer stores there. Take ownership of it, delete it, or set DREAMLAYER_HOME to a"
            " folder of your own."
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(mode)
        log.warning("%s was readable by other users; it no longer is", path)
