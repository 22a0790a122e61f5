"""Rests between the steps of a dream: a laptop stays cool, and other programs get their share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import TypeVar

from dreamlayer.runtime.devices.device import Device
from dreamlayer.runtime.devices.transfer import finish

P = TypeVar("P")
R = TypeVar("R")
SLICE = 0.1  # seconds of rest at a time; in between the dream can be cancelled


def paced(
    steps: Generator[P, None, R], duty: float, device: Device, threads: int
) -> Generator[P, None, R]:
    """Run the steps with a rest after each, so that work takes the part `duty` of the time.

    On the CPU processor time counts, because workers go on computing while a step is reported; on
    other devices elapsed time.

    Args:
        steps: the work.
        duty: the part of the time to work, above 0, at most 1.
        device: that does the work.
        threads: that work at a time on the CPU.

    Yields:
        the values of the steps; the last one repeatedly during a rest.
    """
    with contextlib.closing(steps):
        while True:
            began, worked = time.monotonic(), time.process_time()
            try:
                now = next(steps)
            except StopIteration as done:
                result: R = done.value
                return result
            finish(device)
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
