"""Replaces non-finite gradients (NaN, infinite) by zero, and counts them.

A network whose activations overflow or whose weights are damaged gives NaN or infinity. A single
such value would spread through the blur and the norm to the whole picture.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor


class NanGuard:
    """Replaces non-finite values of gradients by zero. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values = 0
        self._flawed = 0
        self._on_device: dict[torch.device, Tensor] = {}  # flawed values, not read yet

    def clean(self, gradient: Tensor) -> Tensor:
        """The gradient, with 0 in place of NaN and infinity."""
        if gradient.device.type != "cpu":
            self.count(gradient.numel())
            return self.clean_unread(gradient)
        flawed = 0
        if not torch.isfinite(gradient.sum()):  # one pass if all are finite
            flawed = int((~torch.isfinite(gradient)).sum())
            gradient = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        with self._lock:
            self._values += gradient.numel()
            self._flawed += flawed
        return gradient

    def clean_unread(self, gradient: Tensor) -> Tensor:
        """Like `clean`; counts the flaws on the device, and values not at all (`count`)."""
        with self._lock:
            if gradient.device not in self._on_device:
                self._on_device[gradient.device] = torch.zeros(
                    (), dtype=torch.int64, device=gradient.device
                )
            flawed = self._on_device[gradient.device]
        cleaned = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        flawed += (cleaned != gradient).sum()
        return cleaned

    def count(self, values: int) -> None:
        """Count values that `clean_unread` sees."""
        with self._lock:
            self._values += values

    @property
    def share(self) -> float:
        """Share of all gradient values that were not finite, 0..1."""
        with self._lock:
            flawed = self._flawed + sum(int(count) for count in self._on_device.values())
            return flawed / self._values if self._values else 0.0
