"""Gradients that are no numbers: taken for zero where they are found, and counted.

A network whose numbers overflow, or whose weights are damaged, gives NaN or infinity. One of them
would spread through the blur and the norm over all of the picture.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor


class NanGuard:
    """Mends gradients. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values = 0
        self._flawed = 0

    def clean(self, gradient: Tensor) -> Tensor:
        """The gradient, with 0 where it was no number."""
        flawed = 0
        if not torch.isfinite(gradient.sum()):  # one pass for all that are as they should be
            flawed = int((~torch.isfinite(gradient)).sum())
            gradient = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        with self._lock:
            self._values += gradient.numel()
            self._flawed += flawed
        return gradient

    @property
    def share(self) -> float:
        """Which part of all gradients was no number, 0 to 1."""
        with self._lock:
            return self._flawed / self._values if self._values else 0.0
