"""The pictures that a command line names: files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from dreamlayer.files.formats import ENDINGS
from dreamlayer.files.opening import FileError, reason


def is_batch(inputs: list[str]) -> bool:
    """Whether these are several pictures, or a folder or pattern that may hold several."""
    return len(inputs) != 1 or os.path.isdir(inputs[0]) or _is_pattern(inputs[0])  # noqa: PTH112


def find(inputs: Iterable[str]) -> list[Path]:
    """The pictures, in the order in which they are named, each once.

    A folder stands for the pictures in it, by their endings and in the order of their names; hidden
    ones and those in folders below are left out. A pattern (`photos/*.jpg`, `photos/**/*.jpg`),
    which Windows' shell leaves to the program, stands for all files that match. A file whose name
    looks like a pattern is that file. One that isn't there is found all the same: reading it fails.

    Raises:
        FileError: a pattern or a folder has no pictures.
    """
    found: dict[str, Path] = {}
    for name in inputs:
        for path in _named(name):
            found.setdefault(os.path.abspath(path), path)  # noqa: PTH100 - links are not followed
    return list(found.values())


def _named(name: str) -> Iterator[Path]:
    if not _is_pattern(name):
        yield from _expanded(Path(name))
        return
    matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - Path's takes no absolute ones
    files = [Path(match) for match in matches if not os.path.isdir(match)]  # noqa: PTH112
    if not files:
        raise FileError(f"There is no file {name}.")
    yield from files


def _expanded(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    try:
        pictures = sorted(
            entry
            for entry in path.iterdir()
            if entry.suffix.lower() in ENDINGS and entry.name[0] != "." and not entry.is_dir()
        )
    except OSError as error:
        raise FileError(f"The folder {path} can't be read: {reason(error)}.") from error
    if not pictures:
        raise FileError(
            f"There is no picture in the folder {path}; folders in it are not looked into."
        )
    yield from pictures


def _is_pattern(name: str) -> bool:
    return glob.has_magic(name) and not os.path.lexists(name)
