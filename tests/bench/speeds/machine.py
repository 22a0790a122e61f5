"""What this machine can do at best: the floor that everything else is measured against."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

SIDE = 1024  # of the matrices: they and their product lie in a core's second cache, or nearly
GPU_SIDE = 8192
TIMES = 5
LEAST = 0.05  # seconds of a row of products


def describe() -> dict[str, object]:
    """Processor, cores, memory, torch, and the GPU if there is one."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def product_rate(threads: int = 1, device: str = "cpu", half: bool = False) -> float:
    """GFLOP/s of a large product of matrices: the floor's rate."""
    kind = torch.bfloat16 if half else torch.float32
    side = GPU_SIDE if device == "cuda" else SIDE
    a, b = (torch.randn(side, side, dtype=kind, device=device) for _ in range(2))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        a @ b
        return 2 * side**3 / median(_seconds(lambda: a @ b, device, threads)) / 1e9
    finally:
        torch.set_num_threads(before)


def _seconds(work: Callable[[], object], device: str, threads: int) -> list[float]:
    """Seconds of one run, measured over several series of runs, each long enough for the clock.

    For one thread these are the processor's seconds: other programs don't count.
    """
    clock = time.process_time if device == "cpu" and threads == 1 else time.perf_counter
    seconds = []
    for _ in range(TIMES):
        count, began = 0, clock()
        while clock() - began < LEAST or count < 3:
            work()
            count += 1
            if device == "cuda":
                torch.cuda.synchronize()
        seconds.append((clock() - began) / count)
    return seconds


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
