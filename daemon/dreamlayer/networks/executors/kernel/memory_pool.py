"""Memory of the kernel's passes, held on to from one to the next.

It lies apart from what torch takes and frees, between whose pieces it would leave holes.
"""

from __future__ import annotations

import mmap
from threading import Lock

import torch
from torch import Tensor

from dreamlayer.runtime.allocator import mapped

LARGE_PAGE = 2 << 20  # bytes; where the system has such pages, memory is found sooner


class Pool:
    """Gives memory to passes, one piece to each. Any thread may ask."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []
        self._lock = Lock()

    def take(self, size: int) -> Tensor:
        """Return at least so many bytes; what lies in them is anything."""
        with self._lock:
            found = self._free.pop() if self._free else None
        if found is None or len(found) < size:
            del found  # before there is another one
            found = _fetched(size)
        return found

    def give(self, memory: Tensor) -> None:
        """Take memory back, for passes to come."""
        with self._lock:
            self._free.append(memory)

    def empty(self) -> None:
        """Let go what no pass uses."""
        with self._lock:
            self._free.clear()


def _fetched(size: int) -> Tensor:
    area = mapped(max(1, -(-size // LARGE_PAGE)) * LARGE_PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        area.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(area, dtype=torch.uint8)
