"""Unpacking setup.zip into Dreamlayer's folder: completely or not at all, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import zipfile
from collections.abc import Generator
from pathlib import Path, PurePosixPath

from .. import private_files

FOLDER = "dreamlayer-setup"  # in Dreamlayer's folder
UNFINISHED = "dreamlayer-setup.unfinished"
BLOCK = 1 << 20  # bytes written in one step
DAMAGED = "{} is damaged: download the plug-in again."


class UnpackError(Exception):
    """It can't be unpacked; the text is for the user."""


def unpacking(archive: Path, home: Path) -> Generator[float, None, Path]:
    """Unpack in short steps, each with the fraction that is done; the value is the folder.

    What an earlier run left is replaced, also if it was interrupted.

    Raises:
        UnpackError: the archive is damaged, has something that is no plain file in its own folder,
            or can't be written.
    """
    try:
        private_files.make_private(home)
        unfinished, folder = home / UNFINISHED, home / FOLDER
        _remove(unfinished)
        unfinished.mkdir()
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            whole, done = sum(entry.file_size for entry in entries) or 1, 0
            for entry in entries:
                target = unfinished.joinpath(*_parts(archive, entry))
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as source, target.open("xb") as file:
                    while block := source.read(BLOCK):
                        file.write(block)
                        done += len(block)
                        yield done / whole
                if entry.external_attr >> 16 & stat.S_IXUSR:
                    target.chmod(0o755)
        _remove(folder)
        unfinished.rename(folder)
    except private_files.PlantedFile as error:
        raise UnpackError(str(error)) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise UnpackError(DAMAGED.format(archive)) from error
    except OSError as error:
        raise UnpackError(
            f"{error.filename or home} can't be written ({error.strerror or error}): make room, or"
            " make it writable, then try again."
        ) from error
    return folder


def _parts(archive: Path, entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """The parts of an entry's path, which leads nowhere but into its folder."""
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
    odd = any(part == ".." or "\\" in part or ":" in part for part in path.parts)
    if not path.parts or path.is_absolute() or odd or not plain:
        raise UnpackError(DAMAGED.format(archive))
    return path.parts


def _remove(path: Path) -> None:
    """Remove a folder, but of a link only the link."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
    if os.path.lexists(path):
        raise OSError(f"{path} can't be removed")
