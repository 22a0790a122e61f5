"""Freed memory is kept for the next tile, and returned to the system at intervals."""

import subprocess
import sys

import pytest

from dreamlayer.runtime import allocator
from dreamlayer.runtime.allocator import HeapTrimmer

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems' allocators do it themselves"
)

ALLOCATING = """
import resource, threading
from dreamlayer.runtime import allocator
if {keep}:
    allocator.restart_once()
    allocator.keep_freed()
import torch
torch.set_num_threads(1)
def take():
    for _ in range(20):
        torch.zeros(50 << 20, dtype=torch.uint8)
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    before = faults()
    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
print(faults() - before)
held = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20
before = held()
allocator.HeapTrimmer().trim()
print(before - held())
"""


def allocated(keep: bool) -> tuple[int, int]:
    """(page faults of allocating 20 × 50 MB again, MB returned by trimming afterwards)."""
    code = ALLOCATING.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    faults, returned = map(int, done.stdout.split())
    return faults, returned


def test_freed_memory_is_reused_and_can_be_returned():
    """The same memory is reused; with glibc's cache of small blocks it grew to 400 MB."""
    faults, returned = allocated(True)
    assert 10 * faults < allocated(False)[0]
    assert 45 <= returned <= 60


def test_freed_memory_is_returned_at_intervals(monkeypatch):
    clock, trimmed = [100.0], []
    monkeypatch.setattr(allocator.time, "monotonic", lambda: clock[0])
    trimmer = HeapTrimmer()
    monkeypatch.setattr(trimmer, "_trim", trimmed.append)
    for clock[0] in (102.5, 103.5, 103.6, 107.0):
        trimmer.trim_sometimes()
    assert len(trimmed) == 2
    trimmer.trim()
    assert len(trimmed) == 3
