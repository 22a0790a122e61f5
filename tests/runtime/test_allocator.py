"""Freed memory is kept for the next tile, and given back now and then."""

import subprocess
import sys

import pytest

from dreamlayer.runtime import allocator
from dreamlayer.runtime.allocator import GivingBack

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems' allocators do it themselves"
)

TAKING = """
import resource, threading
from dreamlayer.runtime import allocator
if {keep}:
    allocator.begin_anew()
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
allocator.GivingBack().now()
print(before - held())
"""


def taken(keep: bool) -> tuple[int, int]:
    """The pages that 20 × 50 MB cost the second time; the MB that giving back then returns."""
    code = TAKING.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    faults, returned = map(int, done.stdout.split())
    return faults, returned


def test_what_was_freed_is_taken_again_and_can_be_given_back():
    """The very same memory: with glibc's cache of small pieces it was 400 MB in the end."""
    faults, returned = taken(True)
    assert 10 * faults < taken(False)[0]
    assert 45 <= returned <= 60


def test_freed_memory_is_given_back_now_and_then_only(monkeypatch):
    clock, trimmed = [100.0], []
    monkeypatch.setattr(allocator.time, "monotonic", lambda: clock[0])
    giving = GivingBack()
    monkeypatch.setattr(giving, "_trim", trimmed.append)
    for clock[0] in (102.5, 103.5, 103.6, 107.0):
        giving.now_and_then()
    assert len(trimmed) == 2
    giving.now()
    assert len(trimmed) == 3
