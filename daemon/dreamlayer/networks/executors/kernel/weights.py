"""Weights in the kernel's layout: panels of output channels, transformed for Winograd."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import GROUP, KernelOperation

# Transforms kernels of 3 numbers to 6, for the points 0, ±1, ±2 and infinity; the other two
# matrices are in winograd.h. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
# 2015.
_KERNELS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def packed(operation: KernelOperation, panel: int) -> Tensor | None:
    """Return an operation's weights in one flat float32 tensor; None if it has none.

    Args:
        operation: any.
        panel: output channels that are stored together; those of one input are adjacent.
    """
    if operation.weight is None or operation.source is None:
        return None
    weight = operation.weight.detach().cpu().double()
    outs, ins = operation.target.depth, operation.source.depth
    if operation.kind in {kernel.DEPTHWISE, kernel.DEPTHWISE_BACK}:
        return _in_groups(weight, outs).float().flatten()
    full = weight.new_zeros(outs, ins, *weight.shape[2:])
    full[: weight.shape[0], : weight.shape[1]] = weight
    return torch.cat([
        matrix[:, first : first + panel].float().flatten()
        for matrix in _matrices(operation, full)
        for first in range(0, outs, panel)
    ])  # fmt: skip


def _in_groups(weight: Tensor, depth: int) -> Tensor:
    """A depthwise convolution's weights as (groups, numbers of a kernel, channels of a group)."""
    full = weight.new_zeros(depth, weight[0].numel())
    full[: len(weight)] = weight.flatten(1)
    return full.reshape(-1, GROUP, full.shape[1]).transpose(1, 2)


def _matrices(operation: KernelOperation, weight: Tensor) -> list[Tensor]:
    """The matrices (inputs, outs) that an operation multiplies its windows with, in order."""
    if operation.kind == kernel.WINOGRAD:
        transform = torch.tensor(_KERNELS, dtype=weight.dtype)
        points = (transform @ weight @ transform.T).flatten(2).permute(2, 1, 0)
        return list(points)
    parts = [weight]
    if operation.kind == kernel.CONVOLVE_BACK:  # see convolve_back in convolve.h
        down, across = operation.stride
        parts = [
            weight[:, :, first::down, left::across].flip(2, 3)
            for first in range(down)
            for left in range(across)
        ]
    return [part.permute(2, 3, 1, 0).reshape(-1, len(weight)) for part in parts]


def padded_bias(operation: KernelOperation) -> Tensor | None:
    """Return a convolution's bias, 0 for the unused channels; None if it has none."""
    if operation.bias is None:
        return None
    bias = torch.zeros(operation.target.depth)
    bias[: len(operation.bias)] = operation.bias.detach().cpu().float()
    return bias
