"""Storage for the planes of large pictures: memory, or files where memory is short.

The files have no names (on Windows, names until they are closed), so nothing is left of them,
however the daemon ends. The system caches their contents in free memory.
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
SHARE = 4  # a plane in memory takes at most 1 / SHARE of the free memory; a dream has two planes
LARGE = 16 * MIB  # bytes; smaller planes come from the allocator
SPARE = 256 * MIB  # bytes of the disk that are left to other programs


class OutOfStorage(ValueError):
    """Neither memory nor disk have space for a picture; the message is for the user."""


@dataclass(frozen=True)
class PlaneStorage:
    """Allocates tensors of zeros for the engine's planes.

    Attributes:
        folder: of the files.
        limit: bytes; larger planes go to files. 0: 1 / SHARE of the free memory.
    """

    folder: Path
    limit: int = 0

    def __call__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return zeros; raises OutOfStorage, and MemoryError if the memory cannot be had."""
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
        """Zero bytes in a file."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < size + SPARE:
                raise OSError("the disk is nearly full")
            with tempfile.TemporaryFile(dir=self.folder) as file:
                if hasattr(os, "posix_fallocate"):  # else a full disk kills the daemon
                    os.posix_fallocate(file.fileno(), 0, size)
                file.truncate(size)
                return torch.frombuffer(mmap.mmap(file.fileno(), size), dtype=torch.uint8)
        except OSError as error:
            raise OutOfStorage(
                f"This picture needs {-(-size // MIB)} MiB more of memory, or of the disk that"
                f" {self.folder} is on, and neither has them. Dream on a smaller selection, or free"
                " some space there."
            ) from error


def _in_memory(size: int) -> Tensor:
    """Zero bytes that go back to the system with the plane: the next octave's is twice as large."""
    try:
        return torch.frombuffer(mapped(size), dtype=torch.uint8)
    except OSError as error:
        raise MemoryError(f"no memory for {size} bytes") from error


def free_memory() -> int:
    """Return the bytes of memory that are available; half of all memory if unknown."""
    if sys.platform == "win32":
        return _free_on_windows()
    try:
        sizes = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        available = int(sizes["MemAvailable"].split()[0]) << 10
        return min(available, _free_in_group(), _free_in_limit())
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _free_in_group() -> int:
    """The bytes that the process's control group (a container's limit) leaves it."""
    try:
        group = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        folder = Path("/sys/fs/cgroup") / group.lstrip("/")
        limit, used = ((folder / f"memory.{name}").read_text() for name in ("max", "current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):  # there is no limit, or it is "max"
        return sys.maxsize


def _free_in_limit() -> int:
    """The bytes that the process's own limit (`ulimit -v`) leaves it."""
    import resource  # not on Windows

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return max(0, limit - pages * resource.getpagesize())


def free_disk(folder: Path) -> int:
    """Return the bytes that planes may take on the disk of a folder."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return max(0, shutil.disk_usage(folder).free - SPARE)
    except OSError:
        return 0


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
