"""The daemon's process settings: environment, priority, open files and memory."""

from __future__ import annotations

import os
import sys

from dreamlayer.runtime import allocator

LOW_PRIORITY = 10  # niceness, of at most 19 on Unix; Windows has a class instead
DESCRIPTORS = 8192  # open files and connections


def configure() -> None:
    """Set what can't be changed once threads are running or torch is imported."""
    # torch's threads wait for each other by spinning. Beside a busy host, which is the usual case,
    # that makes a dream several times slower; sleeping costs nothing. But falling asleep and waking
    # up takes longer than most waits, so they may spin for some microseconds first.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    allocator.keep_freed()


def lower_priority() -> None:
    """Give other programs precedence.

    On Linux this applies to the calling thread and those that it starts, so that the I/O thread
    stays responsive; elsewhere to the whole process.
    """
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(LOW_PRIORITY)


def raise_descriptor_limit() -> None:
    """Allow this process more than Unix' usual 1024 open files, for connections.

    Anybody can open connections, and those that don't authenticate are closed only after some
    seconds; without free descriptors, libzmq can't accept the user's own programs either.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def memory() -> int:
    """Resident memory of the process, in bytes."""
    import psutil  # imported late: a client waits for the start

    held: int = psutil.Process().memory_info().rss
    return held
