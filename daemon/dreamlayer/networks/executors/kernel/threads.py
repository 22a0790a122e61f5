"""Threads that share the work of one pass of the kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def together(work: Callable[[int], None], count: int) -> None:
    """Call work(0) … work(count − 1), each in a thread of its own, the first in this one.

    The others are a help: those that have not begun when the first is done never will. Returns when
    all have ended; raises what one of them raised.
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
