"""Limits torch's threads where they would wait for each other longer than they work.

An operation of torch ends when the last of its threads does. On a small picture it takes
microseconds; and a thread whose core another program has just taken comes milliseconds later. The
kernel waits for no late thread, so its passes keep all that there were.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_before = threading.local()  # `count`: of torch's threads outside of all limits


@contextlib.contextmanager
def at_most(count: int) -> Iterator[None]:
    """Within this context torch computes in so many threads, for calls from this thread."""
    usual, outside = torch.get_num_threads(), getattr(_before, "count", None)
    _before.count = outside or usual
    torch.set_num_threads(min(count, usual))
    try:
        yield
    finally:
        torch.set_num_threads(usual)
        _before.count = outside


def one_thread() -> contextlib.AbstractContextManager[None]:
    """Within this context torch computes in the calling thread only."""
    return at_most(1)


def threads_without_limits() -> int:
    """How many threads torch would have in the calling thread, were it not limited here."""
    return getattr(_before, "count", None) or torch.get_num_threads()
