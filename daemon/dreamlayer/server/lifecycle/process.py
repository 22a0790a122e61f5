"""The daemon's process as the system sees it: its priority and its memory."""

from __future__ import annotations

import os
import sys

from dreamlayer.runtime import allocator

STEP_BACK = 10  # of 19 that Unix has; Windows has one step of that kind
DESCRIPTORS = 8192


def settle() -> None:
    """Settle what cannot be changed any more when threads have begun, or torch is imported."""
    # torch's threads wait for each other by spinning. Beside a busy host, which is the rule here,
    # that makes a dream several times slower; asleep they cost nothing. But to fall asleep and be
    # woken takes longer than most waits: first they may spin for some microseconds.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    allocator.keep_freed()


def step_back() -> None:
    """Let other programs go first.

    On Linux this is about the calling thread and those that it starts, so that the I/O thread stays
    quick; elsewhere about the whole process.
    """
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(STEP_BACK)


def more_descriptors() -> None:
    """Let this process have more connections than Unix' usual 1024 files.

    Strangers can open connections, and only after some seconds are they closed; when there is no
    descriptor left, libzmq can't let the user's own programs in, either.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def memory() -> int:
    """Bytes of memory that the process holds now."""
    import psutil  # not at the start, for which a client waits

    held: int = psutil.Process().memory_info().rss
    return held
