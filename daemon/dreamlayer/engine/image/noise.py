"""Gaussian noise as a function of position: the same for any tiling, without an array.

The noise of a whole picture would be an array as large as the picture, and noise drawn crop by crop
would depend on the tiles. So each sample is computed from its row, its column and a key: a hash of
them (Chris Wellons' `lowbias32`, 2018, two rounds of multiply and shift) is a uniform number, and
the inverse error function makes it a normal one. All devices compute the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

WORD = 32  # bits
STEP = 0x9E3779B9  # between neighbouring columns: odd, so that no value repeats within a row
ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))  # (shift, factor) of lowbias32
LAST_SHIFT = 16
BITS = 24  # of the hash that are used: the precision of float32


@dataclass(frozen=True)
class Noise:
    """One noise pattern: `sigma` in picture units; each `key` gives another pattern."""

    sigma: float
    key: int

    def sample(self, rows: Tensor, columns: Tensor, like: Tensor) -> Tensor:
        """The noise of the pixels in these rows and columns.

        Args:
            rows, columns: indices of the picture's rows (h) and columns (w), in any order.
            like: a tensor (1, C, …) with the channels, dtype and device wanted.

        Returns:
            (1, C, h, w), independent N(0, sigma²) for different positions and channels.
        """
        lines, words = self.seeds(rows, columns, like.shape[1])
        return noise_of(lines, words, self.sigma, like.dtype)

    def seeds(self, rows: Tensor, columns: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        """What `noise_of` makes noise of, int32: of channels and rows (C, h); of columns (w)."""
        numbers = torch.arange(channels, device=rows.device)
        planes = _hash(_word(numbers * STEP + self.key))
        return _hash(planes[:, None] + _word(rows * STEP)), _word(columns * STEP)


def noise_of(lines: Tensor, words: Tensor, sigma: float | Tensor, dtype: torch.dtype) -> Tensor:
    """The noise (1, C, h, w) of some seeds; `sigma` may be a scalar on the device."""
    mixed = _hash(lines[None, :, :, None] + words)
    mixed >>= WORD - BITS
    uniform = mixed.to(dtype).add_(0.5).mul_(2.0 ** (1 - BITS))  # −1 … 1, exclusive
    return uniform.erfinv_().mul_(sigma * math.sqrt(2.0))


def _word(numbers: Tensor) -> Tensor:
    """The low 32 bits of int64, as int32."""
    return (((numbers & 0xFFFFFFFF) ^ (1 << 31)) - (1 << 31)).to(torch.int32)


def _hash(words: Tensor) -> Tensor:
    """Mix the bits of int32 words, in place. Overflow is intended: torch multiplies modulo 2³²."""
    for shift, factor in ROUNDS:
        words ^= _shifted(words, shift)
        words *= factor if factor < 1 << 31 else factor - (1 << WORD)
    words ^= _shifted(words, LAST_SHIFT)
    return words


def _shifted(words: Tensor, by: int) -> Tensor:
    """Logical right shift: torch's own repeats the sign bit."""
    return (words >> by).bitwise_and_((1 << (WORD - by)) - 1)
