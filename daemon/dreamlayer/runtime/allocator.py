"""How memory is taken, kept when it is freed, and given back.

Tiles take and free the same hundreds of MB in each step. By itself glibc (Linux) hands such large
pieces back to the system at once, and the system has to clear them again page by page: a third of a
dream's time without the kernel, which holds on to its own. So they are kept, and what lives longer
than a tile lies elsewhere.
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
LARGE = 1 << 30  # bytes; only larger pieces are handed back when they are freed
GIVE_BACK_EVERY = 3.0  # seconds
NO_CACHE = "glibc.malloc.tcache_count=0"
TUNABLES, BEGUN_ANEW = "GLIBC_TUNABLES", "DREAMLAYER_BEGUN_ANEW"  # environment


def begin_anew() -> None:
    """Begin this process anew, once, with what glibc takes only from its environment.

    torch wants its memory aligned. What glibc cuts off for that it keeps in a cache for small
    pieces; with it missing, a large piece that is freed is a little too small for the next of its
    size, which is then taken elsewhere. Without that cache a dream takes up to a third less time
    and memory. To be called before anything else is imported or done.
    """
    if sys.platform != "linux" or BEGUN_ANEW in os.environ:
        return
    os.environ[BEGUN_ANEW] = "1"  # not again, should the tunables not be let through
    os.environ[TUNABLES] = ":".join(filter(None, [os.environ.get(TUNABLES), NO_CACHE]))
    with contextlib.suppress(OSError):  # then without it
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - ourselves, as we were begun


def keep_freed() -> None:
    """Let this process keep what is freed, in one heap, for what is taken next.

    To be called before threads begin. GivingBack then gives back what nobody takes.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE)
        mallopt(TRIM_THRESHOLD, 2 * LARGE - 1)
        mallopt(ARENA_MAX, 1)  # those of other threads are too small for tiles


def mapped(size: int) -> mmap.mmap:
    """Return `size` > 0 zeros outside of the allocator's heap, for what is large and lives long.

    They take memory only where they are written, and none at all when they are let go, whereas a
    piece of the heap would stay, and what is larger by then would not fit into it.

    Raises:
        OSError: there is no room.
    """
    if hasattr(mmap, "MAP_PRIVATE"):  # shared memory, Python's usual, mostly gets no large pages
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


class GivingBack:
    """Returns what the allocator holds of freed memory to the system, now and then.

    What is used again has to be fetched again, so it is done every few seconds only.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._trim = _glibc("malloc_trim")

    def now_and_then(self) -> None:
        """To be called between two tiles."""
        if time.monotonic() > self._last + GIVE_BACK_EVERY:
            self.now()

    def now(self) -> None:
        """To be called behind a dream."""
        if self._trim is not None:
            self._trim(0)
        self._last = time.monotonic()


def _glibc(name: str) -> ctypes._NamedFuncPointer | None:
    """A function of glibc's; None elsewhere: musl has none of these."""
    import ctypes  # not at the start, for which a client waits

    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return getattr(library, name, None) if hasattr(library, "malloc_trim") else None
