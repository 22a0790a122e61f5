"""Opens files of the user, and only regular ones: a pipe or a device would block or never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotAFile(ValueError):
    """The path leads to a folder, a pipe or a device; the message is for the user."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; OSError (FileNotFoundError too) and NotAFile.

    What it is, is asked of the opened file: the path may lead elsewhere a moment later.
    """
    # Without O_NONBLOCK opening a pipe waits for a writer.
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, os.O_RDONLY | flags)
    except PermissionError as error:  # what Windows raises for a folder
        if path.is_dir():
            raise _folder(path) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise _folder(path)
    raise NotAFile(f"{path} is a pipe or a device, not a file: save its content to a file first.")


def _folder(path: Path) -> NotAFile:
    return NotAFile(f"{path} is a folder: choose the file in it.")


def size_of(file: BinaryIO) -> int:
    """The size of an opened file in bytes."""
    return os.fstat(file.fileno()).st_size


def read_small(path: Path, limit: int) -> bytes | None:
    """The content of a regular file; None if it is larger than `limit` bytes."""
    with open_regular(path) as file:
        content = file.read(limit + 1)
    return None if len(content) > limit else content
