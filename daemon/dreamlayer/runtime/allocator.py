"""Tunes the allocator: freed memory is kept for a while, then given back to the system.

Tiles allocate and free the same hundreds of MB in each step. By default glibc (Linux) returns such
large blocks to the system at once, which then has to clear them again page by page: a third of a
dream's time without the kernel, which has memory pools of its own. So freed blocks are kept in the
heap, and data that lives longer than a tile is stored outside of it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # malloc.h
LARGE = 1 << 30  # bytes; only larger blocks are returned when they are freed
TRIM_EVERY = 3.0  # seconds
NO_CACHE = "glibc.malloc.tcache_count=0"
TUNABLES, RESTARTED = "GLIBC_TUNABLES", "DREAMLAYER_BEGUN_ANEW"  # environment


def restart_once() -> None:
    """Restart this process once, with a setting that glibc reads from its environment only.

    torch requests aligned memory. glibc puts the remainders of the alignment into a cache of small
    blocks; without its remainder a large freed block is slightly too small for the next request of
    the same size, which is then served from elsewhere. Without that cache a dream takes up to a
    third less time and memory. Call this before anything else is imported or done.
    """
    if sys.platform != "linux" or RESTARTED in os.environ:
        return
    os.environ[RESTARTED] = "1"  # only once, even if the tunables are not passed on
    os.environ[TUNABLES] = ":".join(filter(None, [os.environ.get(TUNABLES), NO_CACHE]))
    with contextlib.suppress(OSError):  # then go on without it
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this program with its own arguments


def keep_freed() -> None:
    """Let this process keep freed memory in one heap, for later allocations.

    Call this before threads are started. HeapTrimmer gives unused memory back.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE)
        mallopt(TRIM_THRESHOLD, 2 * LARGE - 1)
        mallopt(ARENA_MAX, 1)  # arenas of other threads are too small for tiles


def mapped(size: int) -> mmap.mmap:
    """Return `size` > 0 zero bytes outside of the allocator's heap, for large long-lived data.

    They take memory only where they are written, and none after they are freed, whereas a block of
    the heap would stay, too small for later larger ones.

    Raises:
        OSError: there is not enough memory.
    """
    if hasattr(mmap, "MAP_PRIVATE"):  # Python's default, shared memory, mostly gets no large pages
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


class HeapTrimmer:
    """Returns freed memory from the allocator to the system.

    Memory that is needed again has to be requested again, so this is done every few seconds only.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._trim = _glibc("malloc_trim")

    def trim_sometimes(self) -> None:
        """Trim if the last time was a while ago; call this between tiles."""
        if time.monotonic() > self._last + TRIM_EVERY:
            self.trim()

    def trim(self) -> None:
        """Trim at once; call this after a dream."""
        if self._trim is not None:
            self._trim(0)
        self._last = time.monotonic()


def _glibc(name: str) -> ctypes._NamedFuncPointer | None:
    """A function of glibc; None with other C libraries (musl lacks them)."""
    import ctypes  # late: a client waits for the start

    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return getattr(library, name, None) if hasattr(library, "malloc_trim") else None
