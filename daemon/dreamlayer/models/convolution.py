"""Convolutions whose gradient at a pixel is the same to the last bit, however large the picture.

On the CPU torch's own backward convolution adds up in another order when the picture has another
size. The difference is a rounding error, but where a max pool or a ReLU stands on the edge it flips
the choice, and a few steps later the dream is another one: two tilings of one dream then differ
visibly. The forward convolution does not have that fault, so the gradient is computed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor, fx, nn

Pair = tuple[int, int]  # of rows, of columns


class _Convolve(torch.autograd.Function):
    """A convolution whose weights need no gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Pair,
        padding: Pair,
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.stride, ctx.padding, ctx.groups = x.shape, stride, padding, groups
        return F.conv2d(x, weight, bias, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (slope,), (weight,) = slopes, ctx.saved_tensors
        grouped = weight.view(ctx.groups, -1, *weight.shape[1:])  # (groups, out, in, h, w)
        if ctx.stride == (1, 1):
            turned = grouped.transpose(1, 2).flatten(0, 1).flip(2, 3)
            border = [side - 1 - p for side, p in zip(weight.shape[2:], ctx.padding, strict=True)]
            back = F.conv2d(slope, turned, None, 1, border, 1, ctx.groups)
        else:
            kernels = grouped.flatten(2).transpose(1, 2)  # (groups, in · h · w, out)
            columns = kernels @ slope.reshape(1, ctx.groups, kernels.shape[2], -1)
            back = F.fold(
                columns.flatten(1, 2),
                ctx.shape[2:],
                weight.shape[2:],
                padding=ctx.padding,
                stride=ctx.stride,
            )
        return back, None, None, None, None, None


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Return what `F.conv2d` does, with the reproducible gradient where there is one."""
    if isinstance(padding, str) or as_pair(dilation) != (1, 1):
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if any(p >= side for p, side in zip(as_pair(padding), weight.shape[2:], strict=True)):
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    result: Tensor = _Convolve.apply(  # type: ignore[no-untyped-call]
        x, weight, bias, as_pair(stride), as_pair(padding), groups
    )
    return result


class _Convolution(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return convolve(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


def make_reproducible(network: nn.Module) -> None:
    """Let a network with frozen weights use these convolutions."""
    for module in network.modules():
        if type(module) is nn.Conv2d and module.padding_mode == "zeros":
            module.__class__ = _Convolution  # the same parameters, another forward()
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                if node.target is F.conv2d:
                    node.target = convolve
            module.recompile()


def as_pair(value: int | Sequence[int]) -> Pair:
    """One number for rows and columns, or two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])
