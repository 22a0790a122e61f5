"""Dreamlayer's folder and the files in it: this user's alone, and nothing that somebody planted.

Whoever can read the folder can connect to the daemon, and whoever can write it can have programs
started. So it is closed to other users before anything in it is used. It may have been open
before, so a file there is only opened if it is a plain file of this user, with no second name:
never through a link, which would lead the daemon's output into another file, and never a FIFO,
which halts its reader.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import time
from pathlib import Path

from . import machine

log = logging.getLogger(__name__)

READ_MAX = 1 << 24  # bytes of a file that is read at once
# Seconds in which programs that read a small file have closed it; elsewhere nobody is in the way.
READERS_DONE = 3.0 if os.name == "nt" else 0.0
PAUSE = 0.02  # seconds between two attempts to replace it
# No waiting for the other end of a FIFO. Windows has neither of these, and other users can't write
# into the folders of a user there.
GUARDED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class PlantedFile(OSError):
    """Something that may be another user's trap; the text says what to do."""


class WrongOwner(PlantedFile):
    """A folder or file that belongs to another user; the text says what to do."""


def make_private(folder: Path) -> Path:
    """Create `folder` if necessary and close it to other users; returns it.

    Raises:
        WrongOwner: it belongs to another user, who could read what is in it.
        OSError: it can't be created.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":  # on Windows the user's own folders are closed to other users
        if folder.is_symlink() and folder.lstat().st_uid:  # root's links are the system's
            _check_owner(folder, folder.lstat())
        status = folder.stat()
        _check_owner(folder, status)
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
            log.warning("%s was readable by other users; it no longer is", folder)
    return folder


def read(path: Path) -> bytes:
    """The contents of a file, which is closed to other users if it was open.

    Raises:
        PlantedFile: it is no plain file of this user.
        OSError: there is none, it can't be read, or it is longer than `READ_MAX`.
    """
    with open(open_own(path, os.O_RDONLY), "rb") as file:
        data = file.read(READ_MAX + 1)
    if len(data) > READ_MAX:
        raise PlantedFile(f"{path} is too long to be Dreamlayer's: delete it.")
    return data


def write(path: Path, text: str) -> None:
    """Write a file that no other user can read, completely or not at all."""
    fresh = path.with_name(f"{path.name}.{machine.identity()}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        _replace(fresh, path)
    except BaseException:  # e.g. the disk is full
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def _replace(fresh: Path, path: Path) -> None:
    """Rename a file over another one, which on Windows nobody may have open at that moment."""
    end = time.monotonic() + READERS_DONE
    while True:
        try:
            fresh.replace(path)
            return
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(PAUSE)


def open_to_append(path: Path) -> int:
    """The descriptor of a log file, at its end; a planted one makes room for a new one."""
    discard_planted(path)
    return open_own(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def discard_planted(path: Path) -> None:
    """Remove what lies at `path` if it is no plain file of this user. A link's target stays."""
    with contextlib.suppress(FileNotFoundError):
        try:
            _check_file(path, path.lstat())
        except PlantedFile as error:
            log.warning("removed: %s", error)
            path.unlink()


def open_own(path: Path, flags: int) -> int:
    """The descriptor of a plain file of this user, for `os.open`'s flags but O_TRUNC.

    Raises PlantedFile; OSError as `os.open` does.
    """
    if not flags & os.O_CREAT or os.path.lexists(path):
        _check_file(path, path.lstat())
    descriptor = os.open(path, flags | GUARDED, 0o600)
    try:
        _check_file(path, os.fstat(descriptor))  # it may be another one by now
        if os.name == "posix" and os.fstat(descriptor).st_mode & 0o077:
            with contextlib.suppress(OSError):  # a file system that can't be written
                os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_file(path: Path, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode) or status.st_nlink > 1:
        raise PlantedFile(f"{path} is a link, through which nothing is opened: delete it.")
    if not stat.S_ISREG(status.st_mode):
        raise PlantedFile(f"{path} is not a plain file: delete it.")
    if os.name == "posix":
        _check_owner(path, status)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise WrongOwner(
            f"{path} belongs to another user (number {status.st_uid}), who could read what"
            " Dreamlayer stores there. Take ownership of it, delete it, or set DREAMLAYER_HOME to a"
            " folder of your own."
        )
