"""Standard input, output and errors of a command, of which any may be missing or unwritable.

Launchers start programs without them (`>&-`, pythonw.exe), and a pipe's reader may go away. A
command then does its work all the same: what it prints is less than what it was asked for.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any


class _Output(io.FileIO):
    """A file descriptor to write to, whose first failure is remembered instead of raised."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                while (
                    count := super().write(data)
                ) is None:  # another program made it non-blocking
                    select.select([], [self], [])
            except OSError as error:
                self.failure = error
            else:
                return count
        return memoryview(data).nbytes


def prepare() -> None:
    """Make all three streams usable; call this before anything opens a file.

    The descriptors 0 to 2 are taken by the null device where they are closed: otherwise the next
    file that is opened, a picture for example, would get such a number and what is printed.
    """
    with contextlib.suppress(OSError):  # no descriptor is left: the work will say so
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as we run
    sys.stdout = _forgiving(sys.stdout, 1, "replace")  # a terminal without × or … shows ?
    sys.stderr = _forgiving(sys.stderr, 2, "backslashreplace")


def speak_utf8() -> None:
    """Print in UTF-8 into files and pipes, whatever the system's own encoding is.

    Who starts the daemon reads why it did not start (dreamlink/client/launch.py).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding="utf-8")


def output_failure() -> str | None:
    """Flush standard output. Returns a sentence if not all of it could be written, else None.

    A reader that has seen enough (`dreamlayer layers … | head`) is no failure.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    failure = raw.failure if isinstance(raw, _Output) else None
    if failure is None or failure.errno in (errno.EPIPE, errno.ESHUTDOWN):
        return None
    return f"What this command prints could not be written ({failure.strerror})."


def _forgiving(stream: Any, descriptor: int, errors: str) -> Any:
    """The stream over `_Output`, or as it is where it isn't a plain one: a test's, a console's."""
    if stream is None:
        stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if type(stream) is not io.TextIOWrapper:
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)  # the buffer itself: Python's option -u
    if type(raw) is not io.FileIO:  # Windows' console, which takes no bytes
        stream.reconfigure(errors=errors)
        return stream
    output = _Output(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        output if raw is stream.buffer else io.BufferedWriter(output),
        stream.encoding,
        errors,
        line_buffering=stream.line_buffering or descriptor == 2,
        write_through=stream.write_through,
    )
