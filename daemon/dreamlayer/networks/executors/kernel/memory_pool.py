"""Memory of the kernel's passes, reused from one pass to the next.

It is mapped outside torch's heap, which it would fragment.
"""

from __future__ import annotations

import mmap
from threading import Lock

import torch
from torch import Tensor

from dreamlayer.runtime.allocator import mapped

LARGE_PAGE = 2 << 20  # bytes; on systems with such pages, address look-ups are faster


class MemoryPool:
    """Lends memory to passes, one buffer to each. Any thread may call any method."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []
        self._lock = Lock()

    def take(self, size: int) -> Tensor:
        """Return an uninitialised buffer of at least `size` bytes."""
        with self._lock:
            buffer = self._free.pop() if self._free else None
        if buffer is None or len(buffer) < size:
            del buffer  # free the smaller one first
            buffer = _new_buffer(size)
        return buffer

    def give(self, memory: Tensor) -> None:
        """Take a buffer back, for later passes."""
        with self._lock:
            self._free.append(memory)

    def empty(self) -> None:
        """Free all buffers that no pass is using."""
        with self._lock:
            self._free.clear()


def _new_buffer(size: int) -> Tensor:
    area = mapped(max(1, -(-size // LARGE_PAGE)) * LARGE_PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        area.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(area, dtype=torch.uint8)
