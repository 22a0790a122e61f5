"""Working a part of the time only: a laptop stays cool, and other programs get their share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar

from dreamlayer.runtime import devices

if TYPE_CHECKING:
    import torch

P = TypeVar("P")
R = TypeVar("R")
SLICE = 0.1  # seconds of rest at a time; in between the dream can be cancelled


def paced(
    steps: Generator[P, None, R], duty: float, device: torch.device, threads: int
) -> Generator[P, None, R]:
    """The same steps, with a rest after each that is as long as it takes.

    On the CPU its time is counted, as blocks go on being computed while others are told of; on
    another device the time that passes.

    Args:
        steps: what works.
        duty: the part of the time that may be spent working, above 0, at most 1.
        device: what does the work.
        threads: how many of them work at a time on the CPU.

    Yields:
        what the steps yield; the last of it again and again while it rests.
    """
    with contextlib.closing(steps):
        while True:
            began, worked = time.monotonic(), time.process_time()
            try:
                now = next(steps)
            except StopIteration as done:
                result: R = done.value
                return result
            devices.finish(device)
            took = time.monotonic() - began
            yield now
            while True:
                if device.type == "cpu":
                    took = (time.process_time() - worked) / threads
                left = began + took / duty - time.monotonic()
                if left <= 0:
                    break
                time.sleep(min(left, SLICE))
                yield now
