"""Where a large picture's planes are kept: in memory, or in files where that is short.

The files have no names (on Windows, names until they are closed): nothing is left of them,
however the daemon ends. What the system reads and writes of them it takes from its cache.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dreamlayer.runtime.allocator import mapped

MIB = 1 << 20
SHARE = 4  # a plane may take one part in so many of the memory that is free; a dream has two
LARGE = 16 * MIB  # bytes; smaller planes are the allocator's
SPARE = 256 * MIB  # of the disk, that others may want


class OutOfStorage(ValueError):
    """Neither memory nor disk hold a picture; the text is a sentence for the user."""


@dataclass(frozen=True)
class PlaneStorage:
    """Gives the engine tensors of zeros for its planes.

    Attributes:
        folder: for the files.
        limit: bytes; larger planes go to files. 0: those that free memory does not hold easily.
    """

    folder: Path
    limit: int = 0

    def __call__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Zeros; raises NoRoom."""
        size = math.prod(shape) * dtype.itemsize
        on_cpu = device.type == "cpu"
        if on_cpu and size > (self.limit or free_memory() // SHARE):
            zeros = self._on_disk(size)
        elif on_cpu and size >= LARGE:
            zeros = _in_memory(size)
        else:
            return torch.zeros(shape, dtype=dtype, device=device)
        return zeros.view(dtype).view(shape)

    def _on_disk(self, size: int) -> Tensor:
        """Bytes in a file: of zeros, as files grow."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < size + SPARE:
                raise OSError("the disk is nearly full")
            with tempfile.TemporaryFile(dir=self.folder) as file:
                if hasattr(os, "posix_fallocate"):  # or writing to a full disk ends the daemon
                    os.posix_fallocate(file.fileno(), 0, size)
                file.truncate(size)
                return torch.frombuffer(mmap.mmap(file.fileno(), size), dtype=torch.uint8)
        except OSError as error:
            raise OutOfStorage(
                f"This picture needs {-(-size // MIB)} MiB more of memory, or of the disk that"
                f" {self.folder} is on, and neither has them. Dream on a smaller selection, or make"
                " room there."
            ) from error


def _in_memory(size: int) -> Tensor:
    """Bytes that go back to the system with the plane: the next octave's has twice its size."""
    try:
        return torch.frombuffer(mapped(size), dtype=torch.uint8)
    except OSError as error:
        raise MemoryError(f"no room for {size} bytes") from error


def free_memory() -> int:
    """Bytes of memory that can be taken without hurting; half of all where that is not told."""
    if sys.platform == "win32":
        return _free_on_windows()
    try:
        told = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return min(int(told["MemAvailable"].split()[0]) << 10, _free_in_group())
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _free_in_group() -> int:
    """What the control group that the process is in leaves it (a container's limit)."""
    try:
        group = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        folder = Path("/sys/fs/cgroup") / group.lstrip("/")
        limit, used = ((folder / f"memory.{of}").read_text() for of in ("max", "current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):  # there is none, or it is "max"
        return sys.maxsize


def _free_on_windows() -> int:
    class Status(ctypes.Structure):
        """MEMORYSTATUSEX."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in (
                "total", "available", "pages", "pages_available", "virtual", "virtual_available",
                "extended",
            )),
        )  # fmt: skip

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    return int(status.available)
