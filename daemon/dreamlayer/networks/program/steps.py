"""The kinds of steps that most networks are made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.networks.program.convolution import Pair


@dataclass(frozen=True)
class Step:
    """Computes the value `output` from the values `inputs`; value 0 is the picture."""

    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class Normalise(Step):
    """(x − mean) / std, of each channel of the picture; both (1, 3, 1, 1)."""

    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class Affine(Step):
    """x · scale + shift, of each channel; both (C)."""

    scale: Tensor
    shift: Tensor


@dataclass(frozen=True)
class Conv(Step):
    """A convolution without dilation, padded with fewer zeros than the kernel's side.

    `weight` is (out, in / groups, rows, columns), `bias` (out).
    """

    weight: Tensor
    bias: Tensor | None
    stride: Pair
    padding: Pair
    groups: int


@dataclass(frozen=True)
class Relu(Step):
    """max(x, 0), and at most `most` if given (ReLU6)."""

    most: float | None


@dataclass(frozen=True)
class MaxPool(Step):
    """The maximum of each window; `ceil`: also of windows that only begin inside."""

    kernel: Pair
    stride: Pair
    padding: Pair
    ceil: bool


@dataclass(frozen=True)
class AvgPool(Step):
    """The mean of each window; `count_padding`: the zeros beyond the edges count."""

    kernel: Pair
    stride: Pair
    padding: Pair
    ceil: bool
    count_padding: bool


@dataclass(frozen=True)
class Pad(Step):
    """Adds columns of zeros left and right of a map, and rows above and below."""

    left: int
    right: int
    above: int
    below: int


@dataclass(frozen=True)
class Concat(Step):
    """The concatenated channels of all inputs."""


@dataclass(frozen=True)
class Add(Step):
    """The sum of two inputs."""


@dataclass(frozen=True)
class Cast(Step):
    """Changes the number format: that of the gradient before it, and of the values behind it."""

    before: torch.dtype
    behind: torch.dtype
