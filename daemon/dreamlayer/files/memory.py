"""Whether there is memory for a picture, and the sentence when there is not."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from dreamlayer.files.opening import FileError

ADVICE = "close other programs, or make the picture smaller"


class NoMemory(FileError):
    """There is not enough memory; the text says for what, and what to do."""


def check(what: object, needed: int) -> None:
    """Raise NoMemory if so many bytes are more than there are."""
    free = available()
    if needed > free:
        raise NoMemory(
            f"There is not enough memory for {what}: it needs {needed / 1e9:.1f} GB, and"
            f" {max(free, 0) / 1e9:.1f} GB are free; {ADVICE}."
        )


@contextlib.contextmanager
def told(what: object) -> Iterator[None]:
    """Turn an error for want of memory into NoMemory."""
    try:
        yield
    except MemoryError as error:
        raise NoMemory(f"There is not enough memory for {what}: {ADVICE}.") from error


def available() -> int:
    """Bytes that this process can still take: free memory, and what its own limit leaves."""
    import psutil

    memory = psutil.virtual_memory()
    free = int(memory.available)
    with contextlib.suppress(OSError, RuntimeError):  # Windows with its counters turned off
        free += int(psutil.swap_memory().free)
    if sys.platform != "win32":
        import resource

        limit, _most = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            free = min(free, limit - psutil.Process().memory_info().vms)
    return free
