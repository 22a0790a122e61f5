"""The file that the installer writes into, read line by line while it grows.

It is locked as long as an installation runs, so that no second one disturbs it.
"""

from __future__ import annotations

import codecs
import logging
import os
import re
import sys
from pathlib import Path

from .. import private_files

NAME = "setup.log"  # in Dreamlayer's folder
BLOCK = 1 << 16  # bytes read at once
LOCKED_BYTE = 1 << 40  # Windows locks bytes; nobody writes so far
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BUSY = "Dreamlayer is being installed by another program already: wait until that is done."

log = logging.getLogger(__name__)


class SetupIsRunning(Exception):
    """Another installation has the file; the text is for the user."""


class SetupOutput:
    """The file, empty at first; `descriptor` is what a process writes into."""

    def __init__(self, home: Path) -> None:
        """Open and lock it.

        Raises:
            SetupIsRunning: another process has locked it.
            OSError: it can't be written, or something else lies there.
        """
        path = private_files.make_private(home) / NAME
        self.descriptor = private_files.open_to_append(path)
        try:
            _lock(self.descriptor)
            os.ftruncate(self.descriptor, 0)
            self._file = open(private_files.open_own(path, os.O_RDONLY), "rb")  # noqa: SIM115
        except BaseException:
            os.close(self.descriptor)
            raise
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""  # of a line that goes on

    def read(self, to_the_end: bool) -> list[str]:
        """The lines that were completed since the last call, without escapes; also empty ones.

        Args:
            to_the_end: nothing more will be written: all of it, and an incomplete line, too.
        """
        data = self._file.read(-1 if to_the_end else BLOCK)
        text = self._rest + self._decode(data) + ("\n" if to_the_end else "")
        *lines, self._rest = re.split(r"\r\n|\r|\n", text)
        return [ESCAPES.sub("", line).rstrip() for line in lines]

    def close(self) -> None:
        """Close it; processes that still write into it keep it locked, but on Windows."""
        self._file.close()
        os.close(self.descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise SetupIsRunning(BUSY) from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetupIsRunning(BUSY) from error
        except OSError as error:
            log.debug("no lock: %s", error)  # a file system without locks
