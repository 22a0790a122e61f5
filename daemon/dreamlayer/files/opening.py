"""Opens a file for reading: a regular file only, once, and read by pieces."""

from __future__ import annotations

import bisect
import io
import itertools
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PIXELS_MAX = 1000  # megapixels: a picture that claims more may be made to fill the memory


class FileError(ValueError):
    """A file that can't be read or written; the text is one sentence for the user."""


class InputFile:
    """A regular file, opened for reading; a context manager.

    Nothing waits for a writer at the other end of a pipe, and no device is touched.

    Attributes:
        path: its name.
        size: its length in bytes when it was opened.
        kept: whether it stays open at the end of its context.
    """

    def __init__(self, path: Path) -> None:
        """Raises FileError: there is no such file, or it can't be opened."""
        self.path = path
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            _check_regular(path, path.stat())  # before opening, which may already move a device
            descriptor = os.open(path, flags)
        except FileNotFoundError as error:
            raise FileError(f"There is no file {path}.") from error
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise FileError(f"{path} can't be read: {reason(error)}.") from error
        self._file = os.fdopen(descriptor, "rb")
        self.kept = False
        status = os.fstat(descriptor)
        self.size = status.st_size
        try:
            _check_regular(path, status)
        except FileError:
            self.close()
            raise

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset`; fewer than `length` at the end of the file."""
        self._file.seek(offset)
        return self._file.read(max(0, min(length, self.size - offset)))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> InputFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.kept or error is not None:
            self.close()


Part = bytes | tuple[int, int]  # bytes of our own, or offset and length in a file


class SplicedFile(io.RawIOBase):
    """Parts of a file and bytes of our own, read as one file without copying the parts."""

    def __init__(self, source: InputFile, parts: Sequence[Part]) -> None:
        self._source = source
        self._parts = [part for part in parts if _length(part)]
        self._starts = [0, *itertools.accumulate(map(_length, self._parts))]
        self._length = self._starts.pop()
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what is there; returns the number of bytes, 0 at the end."""
        index = bisect.bisect_right(self._starts, self._position) - 1
        if index < 0 or self._position >= self._length:
            return 0
        start, part = self._starts[index], self._parts[index]
        inside = self._position - start
        if isinstance(part, bytes):
            data = part[inside : inside + len(buffer)]
        else:
            data = self._source.read(part[0] + inside, min(len(buffer), part[1] - inside))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1]


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FileError(f"{path} can't be read: it is a folder.")
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{path} can't be read: it is no file but a pipe, a socket or a device.")


def reason(error: BaseException) -> str:
    """What an error says, without the full stop, on one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = " ".join(text.split())
    return (line[:200] or type(error).__name__).rstrip(".")
