"""Stores a film's frames in a temporary file until all are dreamed.

A hundred frames of a large picture do not fit into memory.
"""

from __future__ import annotations

import tempfile

from dreamlink.wire.messages import Frame

from .errors import DocumentError


class FrameSpool:
    """Frames of `nbytes` bytes each, one after another; the file is deleted when closed."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._count = 0
        self._file = tempfile.TemporaryFile(prefix="dreamlayer-")  # noqa: SIM115 (see close)

    def __len__(self) -> int:
        return self._count

    def append(self, pixels: Frame) -> None:
        """Append a frame; raises DocumentError if the disk is full."""
        try:
            self._file.seek(self._count * self._nbytes)
            self._file.write(pixels)
            self._file.flush()
        except OSError as error:
            raise DocumentError(
                f"The film's next frame could not be written into {tempfile.gettempdir()}"
                f" ({error.strerror}): free some space there and dream again."
            ) from error
        self._count += 1

    def read(self, index: int) -> bytes:
        self._file.seek(index * self._nbytes)
        return self._file.read(self._nbytes)

    def close(self) -> None:
        self._file.close()
