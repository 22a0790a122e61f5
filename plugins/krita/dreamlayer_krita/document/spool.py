"""Where a film's frames wait until all are dreamed: a file that is gone when the film is.

A hundred frames of a large picture are more than a computer's memory holds.
"""

from __future__ import annotations

import tempfile

from dreamlink.wire.messages import Frame

from .errors import DocumentError


class FrameSpool:
    """Frames of the same size, one behind the other."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._count = 0
        self._file = tempfile.TemporaryFile(prefix="dreamlayer-")  # noqa: SIM115 (see close)

    def __len__(self) -> int:
        return self._count

    def append(self, pixels: Frame) -> None:
        """Put a frame behind the last one; raises DocumentError where there is no room."""
        try:
            self._file.seek(self._count * self._nbytes)
            self._file.write(pixels)
            self._file.flush()
        except OSError as error:
            raise DocumentError(
                f"There is no room for the film's next frame in {tempfile.gettempdir()}"
                f" ({error.strerror}): make room there and dream again."
            ) from error
        self._count += 1

    def read(self, index: int) -> bytes:
        self._file.seek(index * self._nbytes)
        return self._file.read(self._nbytes)

    def close(self) -> None:
        self._file.close()
