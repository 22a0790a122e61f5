"""The daemon's process as the system sees it: its priority and its memory."""

from __future__ import annotations

import os
import sys

import psutil

STEP_BACK = 10  # of 19 that Unix has; Windows has one step of that kind


def step_back() -> None:
    """Let other programs go first.

    On Linux this is about the calling thread and those that it starts, so that the I/O thread stays
    quick; elsewhere about the whole process.
    """
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(STEP_BACK)


def memory() -> int:
    """Bytes of memory that the process holds now."""
    held: int = psutil.Process().memory_info().rss
    return held
