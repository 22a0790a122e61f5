"""Lets torch compute small pictures in one thread.

An operation on a small picture takes microseconds. Two threads would wait for each other longer
than they work, and ten times as long while other programs compute. A network's own passes have
threads of their own (`engine/tiling/workers.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Within this context torch computes in the calling thread only."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
