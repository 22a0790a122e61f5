"""Convolutions whose gradient at a pixel is the same to the last bit for every picture size.

On the CPU torch's backward convolution adds up in an order that depends on the picture's size. The
difference is a rounding error, but where two inputs of a max pool nearly tie, or a ReLU's input is
nearly 0, it flips the choice, and a few steps later the dream is another one: two tilings of one
dream then differ visibly. oneDNN's forward convolution adds up in the same order for all sizes, so
the gradient is computed with it. It is called by its name, because torch chooses another one for
small maps, and for 1×1 kernels with one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor, fx, nn

ONEDNN = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
FEW = 4  # channels, such as colours; interleaving so few is faster in planar layout

Pair = tuple[int, int]  # of rows, of columns
Box = tuple[Pair, Pair]  # rows and columns: start … stop − 1; a geometry.Window is one


class _Convolve(torch.autograd.Function):
    """A convolution with constant weights."""

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
        return forward(x, weight, bias, stride, padding, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), (weight,) = grads, ctx.saved_tensors
        back = convolve_backward(
            grad,
            backward_weight(weight, ctx.stride, ctx.groups),
            ctx.stride,
            ctx.padding,
            ctx.groups,
            ((0, grad.shape[2]), (0, grad.shape[3])),
            ((0, ctx.shape[2]), (0, ctx.shape[3])),
        )
        return back, None, None, None, None, None


def forward(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, groups: int
) -> Tensor:
    """Return a convolution that, with oneDNN, adds up in the same order for every size."""
    if any(padding) and not all(side % 2 for side in weight.shape[2:]):
        # With padding of its own oneDNN does so for kernels with odd sides only.
        x, padding = F.pad(x, (padding[1], padding[1], padding[0], padding[0])), (0, 0)
    if ONEDNN and x.dtype == torch.float32 and x.device.type == "cpu":
        dense = x.contiguous(memory_format=torch.channels_last)
        result: Tensor = torch.ops.aten.mkldnn_convolution(
            dense, weight, bias, padding, stride, (1, 1), groups
        )
        return result
    return F.conv2d(x, weight, bias, stride, padding, 1, groups)


def backward_weight(weight: Tensor, stride: Pair, groups: int) -> Tensor:
    """Return the weight of the forward convolution that computes a convolution's gradient.

    Args:
        weight: (out, in / groups, rows, columns).
        stride, groups: of the convolution.

    Returns:
        (in · stride², out / groups, rows', columns'): with a stride, the gradient of a block of
        stride² input cells is computed at once, as channels of one cell.
    """
    (down, right), (rows, columns) = stride, weight.shape[2:]
    more = (-rows % down, -columns % right)
    padded = F.pad(weight, (0, more[1], 0, more[0]))
    out, channels = weight.shape[:2]
    parts = padded.view(groups, out // groups, channels, (rows + more[0]) // down, down, -1, right)
    phases = parts.permute(0, 2, 4, 6, 1, 3, 5)  # (group, in, down, right, out, rows', columns')
    flat = phases.reshape(groups * channels * down * right, out // groups, *phases.shape[-2:])
    return flat.flip(2, 3).contiguous(memory_format=torch.channels_last)


def convolve_backward(
    grad: Tensor,
    backward_weights: Tensor,
    stride: Pair,
    padding: Pair,
    groups: int,
    output_box: Box,
    input_box: Box,
) -> Tensor:
    """Return the gradient of a convolution at the cells `input_box` of its input.

    Args:
        grad: (1, out, h, w), the gradient at the cells `output_box` of its output.
        backward_weights: see `backward_weight`.
        stride, padding, groups: of the convolution.
        output_box: cells of the output; the gradient at all others counts as zero.
        input_box: cells of the input.
    """
    first, border, cuts = [], [], []
    for axis in (0, 1):
        s, p, taps = stride[axis], padding[axis], backward_weights.shape[2 + axis]
        (start, stop), (low, high) = output_box[axis], input_box[axis]
        # Cell i of the input is phase (i + p) % s of the coarse cell c = (i + p) // s, which
        # depends on the output's cells c − taps + 1 … c.
        begin, end = (low + p) // s, (high - 1 + p) // s + 1
        edge = max(0, start - (begin - taps + 1), end - stop)
        border.append(edge)
        first.append(begin - taps + 1 + edge - start)
        cuts.append((end - begin, low + p - begin * s, high - low))
    back = forward(grad, backward_weights, None, (1, 1), (border[0], border[1]), groups)
    (rows, top, height), (columns, left, width) = cuts
    back = back[..., first[0] : first[0] + rows, first[1] : first[1] + columns]
    if stride != (1, 1):
        back = _interleaved(back, stride)
    return back[..., top : top + height, left : left + width]


def _interleaved(phases: Tensor, stride: Pair) -> Tensor:
    """(1, C · stride², h, w) → (1, C, h · stride, w · stride)."""
    (down, right), (height, width) = stride, phases.shape[2:]
    count = down * right
    channels = phases.shape[1] // count
    layout = torch.channels_last if channels > FEW else torch.contiguous_format
    interleaved = torch.empty(
        (1, channels, height * down, width * right),
        dtype=phases.dtype,
        device=phases.device,
        memory_format=layout,
    )
    for phase in range(count):
        interleaved[:, :, phase // right :: down, phase % right :: right] = phases[:, phase::count]
    return interleaved


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Return `F.conv2d` of the arguments, with a reproducible gradient where supported."""
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
    """Replace the convolutions of a network with frozen weights by reproducible ones, in place."""
    for module in network.modules():
        if type(module) is nn.Conv2d and module.padding_mode == "zeros":
            module.__class__ = _Convolution  # the same parameters, another forward()
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                if node.target is F.conv2d:
                    node.target = convolve
            module.recompile()


def as_pair(value: int | Sequence[int]) -> Pair:
    """Return (rows, columns); one number counts for both."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])
