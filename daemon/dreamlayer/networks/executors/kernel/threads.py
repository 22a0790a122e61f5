"""Threads that share the work of one pass of the kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def run_together(work: Callable[[int], None], count: int) -> None:
    """Call work(0) … work(count − 1), each in its own thread, work(0) in the calling one.

    The other threads only help: calls that have not begun when work(0) returns are cancelled.
    Returns when all have ended; raises the exception of any of them.
    """
    others = [_helpers().submit(work, number) for number in range(1, count)]
    try:
        work(0)
    finally:
        for other in others:
            if not other.cancel():
                other.result()


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, "dreamlayer-kernel")
