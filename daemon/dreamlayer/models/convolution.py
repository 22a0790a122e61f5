"""Convolutions whose gradient at a pixel is the same to the last bit, however large the picture.

On the CPU torch's own backward convolution adds up in another order when the picture has another
size. The difference is a rounding error, but where a max pool or a ReLU stands on the edge it flips
the choice, and a few steps later the dream is another one: two tilings of one dream then differ
visibly. The forward convolution does not have that fault, so the gradient is computed with it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor, nn

Pair = tuple[int, int]


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


class _Convolution(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = _Convolve.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.stride, self.padding, self.groups
        )
        return result


def make_reproducible(network: nn.Module) -> None:
    """Let a network with frozen weights use these convolutions, where they can stand in."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _can_stand_in(module):
            module.__class__ = _Convolution  # the same parameters, another forward()


def _can_stand_in(convolution: nn.Conv2d) -> bool:
    padding = convolution.padding
    return (
        convolution.padding_mode == "zeros"
        and convolution.dilation == (1, 1)
        and isinstance(padding, tuple)
        and all(p < side for p, side in zip(padding, convolution.kernel_size, strict=True))
    )
