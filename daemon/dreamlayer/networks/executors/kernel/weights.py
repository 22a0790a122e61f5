"""Weights as the kernel wants them: in panels of output channels, transformed for Winograd."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import Operation

# Kernels of 3 numbers → 6, for the points 0, ±1, ±2 and infinity; the other two matrices are in
# winograd.h. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.
_KERNELS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def packed(one: Operation, panel: int) -> Tensor | None:
    """Return an operation's weights, in one piece, in single precision; None if it has none.

    Args:
        one: the operation.
        panel: output channels whose weights lie together, each input's side by side.
    """
    if one.weight is None or one.source is None:
        return None
    weight = one.weight.detach().cpu().double()
    outs, ins = one.target.depth, one.source.depth
    full = weight.new_zeros(outs, ins, *weight.shape[2:])
    full[: weight.shape[0], : weight.shape[1]] = weight
    if one.kind == kernel.WINOGRAD:
        turn = torch.tensor(_KERNELS, dtype=full.dtype)
        matrices = (turn @ full @ turn.T).flatten(2).permute(2, 1, 0)  # (points, ins, outs)
    else:
        matrices = full.permute(2, 3, 1, 0).reshape(1, -1, outs)
    matrices = matrices.float()
    return torch.cat([
        matrices[number, :, first : first + panel].flatten()
        for number in range(len(matrices))
        for first in range(0, outs, panel)
    ])  # fmt: skip


def padded_bias(one: Operation) -> Tensor | None:
    """Return the bias of a convolution, 0 for the channels that mean nothing; None without one."""
    if one.bias is None:
        return None
    bias = torch.zeros(one.target.depth)
    bias[: len(one.bias)] = one.bias.detach().cpu().float()
    return bias
