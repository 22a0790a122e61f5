"""The file of the result: checked, and a place made for it, before the dream begins."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from PIL import Image

from dreamlayer.files import memory, writing
from dreamlayer.files.containers.take_apart import take_apart
from dreamlayer.files.formats import PNG, WRITTEN, FileFormat, recognise
from dreamlayer.files.metadata import Metadata
from dreamlayer.files.opening import FileError, InputFile, reason
from dreamlayer.files.reading import BYTES, ImageFile

INSTEAD = "name another file, or add --overwrite"


class Output:
    """A file to write, complete or not at all; a context manager.

    The pixels go into a file of its own beside it, which takes its place at the end. That file is
    made at once, so that a folder that takes no file is noticed before the dream.

    Attributes:
        kind: the file's format.
        notes: sentences about what the format can't store.
    """

    def __init__(
        self, path: Path, source: ImageFile, inputs: Sequence[Path], *, overwrite: bool = False
    ) -> None:
        """Check that the result can be saved; raises FileError, with what to do.

        `inputs` are the files that the dream is made from.
        """
        self.path = path
        self.kind = format_of(path)
        self.notes = list(writing.lost(source.metadata, self.kind, source.image.mode))
        _check_size(path, self.kind, source)
        self._old = _status(path)
        # A link's target is replaced, so that the link remains.
        self._target = Path(os.path.realpath(path))
        _check_folder(path, self._target.parent)
        if self._old is not None:
            _check_old(path, self._old, inputs, overwrite=overwrite)
        # Random, so that no other file has this name; and short, as a name may have 255 bytes. The
        # installer removes one of the sample, whose writing was killed (install/own.py).
        self._fresh = self._target.with_name(f".dream-{secrets.token_hex(8)}")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Output:
        mode = 0o666 if self._old is None else 0o600
        try:
            self._file = open(
                self._fresh, "x+b", opener=lambda name, flags: os.open(name, flags, mode)
            )
        except OSError as error:
            raise _unwritable(self.path, error) from error
        except BaseException:  # a signal between the two calls
            self._remove()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._remove()

    def write(
        self,
        source: ImageFile,
        part: Image.Image,
        corner: tuple[int, int],
        recipe: Mapping[str, Any],
    ) -> None:
        """Save the source with `part` at a corner of it; a PNG also holds the recipe.

        Raises FileError. If the disk is full or gone, the picture is saved elsewhere if that can
        be done, and the sentence says where.
        """
        assert self._file is not None
        try:
            with memory.told(self.path):
                if source.raw is not None and source.kind == self.kind.name:
                    box = (*corner, corner[0] + part.width, corner[1] + part.height)
                    source.raw.write_with(part, box, self._file)
                else:
                    self._encode_whole(source, part, corner, recipe, self._file)
            self._take_over_mode(self._file)
            os.fsync(self._file.fileno())
            self._file.close()
            self._fresh.replace(self._target)
        except OSError as error:
            self._remove()
            saved = _saved_elsewhere(source, part, corner, recipe)
            raise FileError(f"{self.path} can't be written: {reason(error)}.{saved}") from error

    def _encode_whole(
        self,
        source: ImageFile,
        part: Image.Image,
        corner: tuple[int, int],
        recipe: Mapping[str, Any],
        file: IO[bytes],
    ) -> None:
        source.image.paste(part, corner)  # reads the rest of a large picture
        self.notes += _encode(source.image, file, self.kind, source.metadata, recipe)

    def _take_over_mode(self, file: IO[bytes]) -> None:
        """Give the new file the mode and the owner of the file that it replaces."""
        file.flush()
        if self._old is None:
            return
        with contextlib.suppress(OSError, AttributeError):  # where there are none, or not ours
            os.chown(self._fresh, self._old.st_uid, self._old.st_gid)
        with contextlib.suppress(OSError):
            self._fresh.chmod(stat.S_IMODE(self._old.st_mode) & 0o777)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        with contextlib.suppress(OSError):
            self._fresh.unlink()


def format_of(path: Path) -> FileFormat:
    """The format that a file's name asks for; raises FileError."""
    kind = WRITTEN.get(path.suffix.lower())
    if kind is None:
        raise FileError(
            f"{path} can't be written: its name must end in one of {', '.join(WRITTEN)}."
        )
    return kind


def _status(path: Path) -> os.stat_result | None:
    """What there is at the output's place, or None; raises FileError if nothing can be there."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a name that is too long, a circle of links
        raise _unwritable(path, error) from error


def _check_folder(path: Path, folder: Path) -> None:
    if not folder.is_dir():
        raise FileError(f"{path} can't be written: there is no folder {folder}.")
    if not os.access(folder, os.W_OK):
        raise FileError(f"{path} can't be written: the folder {folder} is write-protected.")


def _check_old(path: Path, old: os.stat_result, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse to replace what is no file, and without `overwrite` what would be missed."""
    if stat.S_ISDIR(old.st_mode):
        raise FileError(f"{path} can't be written: it is a folder.")
    if not stat.S_ISREG(old.st_mode):
        raise FileError(f"{path} can't be written: it is no file but a pipe, a socket or a device.")
    if overwrite:
        return
    for name in inputs:
        with contextlib.suppress(OSError):
            if os.path.samestat(name.stat(), old):
                raise FileError(f"{path} can't be written: the dream is made from it; {INSTEAD}.")
    # The mode counts for an administrator, too, who may write everything.
    if not old.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise FileError(f"{path} can't be written: it is write-protected; {INSTEAD}.")
    pictures = _pictures(path)
    if pictures > 1:
        raise FileError(
            f"{path} can't be written: it holds {pictures} pictures, of which none would be left;"
            f" {INSTEAD}."
        )


def _pictures(path: Path) -> int:
    """How many pictures a file holds; 0 if it is none."""
    try:
        with InputFile(path) as file:
            return take_apart(file, recognise(file)).pictures
    except FileError:
        return 0


def _check_size(path: Path, kind: FileFormat, source: ImageFile) -> None:
    width, height = source.image.size
    if max(width, height) > kind.side:
        raise FileError(
            f"{path} can't be written: {kind.name} allows at most {kind.side} pixels per side."
        )
    if width * height * BYTES.get(source.image.mode, 4) > kind.bytes_max:
        raise FileError(f"{path} can't be written: {kind.name} allows at most 4 GiB; choose .png.")


def _encode(
    image: Image.Image,
    file: IO[bytes],
    kind: FileFormat,
    metadata: Metadata,
    recipe: Mapping[str, Any],
) -> list[str]:
    """Write the picture, if need be without its metadata; returns notes. Raises OSError."""
    try:
        writing.encode(image, file, kind, metadata, recipe)
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        file.seek(0)
        file.truncate()
        try:
            writing.encode(image, file, kind, Metadata(), recipe)
        except (ValueError, TypeError, OverflowError) as again:
            raise OSError(reason(again)) from error
        return [f"{kind.name} did not take what the picture has beside its pixels: none is kept."]
    return []


def _saved_elsewhere(
    source: ImageFile, part: Image.Image, corner: tuple[int, int], recipe: Mapping[str, Any]
) -> str:
    """Save the result in the system's folder for temporary files; a sentence that says where."""
    descriptor, name = -1, ""
    try:
        descriptor, name = tempfile.mkstemp(".png", "dream-")
        with os.fdopen(descriptor, "w+b") as file:
            source.image.paste(part, corner)
            _encode(source.image, file, PNG, source.metadata, recipe)
            os.fsync(file.fileno())
    except (OSError, MemoryError):
        with contextlib.suppress(OSError):
            Path(name).unlink()
        return ""
    return f" The dream is saved as {name}."


def _unwritable(path: Path, error: Exception) -> FileError:
    return FileError(f"{path} can't be written: {reason(error)}.")
