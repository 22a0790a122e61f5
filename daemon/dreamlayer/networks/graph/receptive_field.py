"""Measures the stride and the receptive field of a feature map's cells.

No table is needed. A copy of the network gets positive weights, and average pools instead of max
pools over the same windows, so that no dependence cancels or loses against a larger one. The
gradient of one cell is then non-zero at exactly the pixels that the cell depends on.

The receptive field of a convolution does not depend on its channels. So a copy with a single
channel is tried first, which takes milliseconds; networks that split channels need all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import activation
from torch.overrides import TorchFunctionMode

from dreamlayer.networks.graph.function_override import FunctionOverride, Rules
from dreamlayer.runtime import interruption

PartialNetwork = Callable[[Tensor], Tensor]  # (1, 3, H, W) → (1, C, h, w)

LONGEST_STRIP = 8192  # px; wider receptive fields count as the whole picture
LARGEST_MINIMUM = 1024  # px
UNBOUNDED = (-(2**31), 2**31)  # the reach of a cell that may see every pixel


@dataclass(frozen=True)
class Geometry:
    """The positions and the receptive fields of a feature map's cells.

    Cell i sees the pixels `i*stride + reach[0]` to `i*stride + reach[1]`, both included, on both
    axes, within the picture. `local` is False where that does not hold: for cells that see the
    whole picture (global pooling, squeeze-excite, attention), and for fields whose position depends
    on the picture's size; `reach` is then UNBOUNDED.

    Attributes:
        stride: px from one cell to the next.
        reach: px, see above.
        channels: of the map.
        minimum: px, the side of the smallest square picture with a cell.
        local: see above.
    """

    stride: int
    reach: tuple[int, int]
    channels: int
    minimum: int
    local: bool

    @property
    def receptive_field(self) -> int:
        """Pixels along one axis that a cell sees, away from the picture's borders."""
        return self.reach[1] - self.reach[0] + 1

    @property
    def halo(self) -> int:
        """Pixels that a block of cells needs around it on every side: a multiple of the stride.

        A block of the cells a..b (both included) covers `a*stride` to `(b+1)*stride − 1`.
        """
        beyond = max(-self.reach[0], self.reach[1] - self.stride + 1, 0)
        return -(-beyond // self.stride) * self.stride


def _average_pool(
    x: Tensor,
    kernel_size: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    *,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices or dilation not in (1, (1, 1), [1, 1]):
        raise ValueError("Max pooling with dilation or indices cannot be measured.")
    return nn.functional.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)


def _thin_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The mean of all channels over the windows of a convolution: a map of one channel."""
    kernel = torch.ones(1, 1, *weight.shape[2:], dtype=x.dtype) / weight[0, 0].numel()
    mean = x.mean(dim=1, keepdim=True)
    return nn.functional.conv2d(mean, kernel, None, stride, padding, dilation)


def _thin_linear(x: Tensor, *_: Any) -> Tensor:
    """A linear layer over the single channel of a map permuted to (1, h, w, C)."""
    if x.shape[-1] != 1:
        raise RuntimeError("The layer does not work on the channels.")
    return x


def _thin_layer_norm(x: Tensor, normalized_shape: Any, *_: Any, **__: Any) -> Tensor:
    if len(normalized_shape) != 1:
        raise RuntimeError("The layer does not normalise the channels only.")
    return _thin_linear(x)


def _unchanged(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x


# These keep shapes, but on the meta device take a hundred times as long as a convolution.
NO_SHAPE_CHANGES: Rules = {
    nn.functional.batch_norm: _unchanged,
    nn.functional.relu: _unchanged,
    nn.functional.hardtanh: _unchanged,
    nn.functional.silu: _unchanged,
    nn.functional.gelu: _unchanged,
    nn.functional.layer_norm: _unchanged,
}
MEAN_OF_MAX: Rules = {nn.functional.max_pool2d: _average_pool}  # nn.MaxPool2d calls it, too
ONE_CHANNEL: Rules = {
    **MEAN_OF_MAX,
    nn.functional.conv2d: _thin_convolution,
    nn.functional.linear: _thin_linear,
    nn.functional.layer_norm: _thin_layer_norm,
    nn.functional.batch_norm: _unchanged,  # uses the statistics of training: no cell sees more
}


def shapes_only() -> TorchFunctionMode:
    """Return a context in which functions that keep the shape are skipped."""
    return FunctionOverride(NO_SHAPE_CHANGES)


def shape(network: PartialNetwork, height: int, width: int) -> torch.Size | None:
    """Return the map's shape; None if the picture is too small. The network is on `meta`."""
    try:
        with shapes_only():
            return network(torch.empty(1, 3, height, width, device="meta")).shape
    except RuntimeError:  # torch raises it for windows larger than the map
        return None


def cells(network: PartialNetwork, height: int, width: int) -> tuple[int, int]:
    """Return the cells (h, w); (0, 0) if the picture is too small. The network is on `meta`."""
    size = shape(network, height, width)
    return (0, 0) if size is None else (size[-2], size[-1])


def smallest_side(network: PartialNetwork) -> int:
    """Return the side in px of the smallest square with a cell. The network is on `meta`."""
    low, high = 0, LARGEST_MINIMUM  # `low` has no cell, `high` is assumed to have one
    while high - low > 1:
        middle = (low + high) // 2
        if min(cells(network, middle, middle)) > 0:
            high = middle
        else:
            low = middle
    return high


def measure(network: nn.Module) -> Geometry:
    """Return the geometry of a network from pictures (1, 3, H, W) to one map (1, C, h, w).

    The network is not changed; its weights do not matter and may be on any device, `meta` too.
    ValueError if its output is no map.
    """
    bare = copy.deepcopy(network).to("meta")
    minimum = smallest_side(bare)
    least = shape(bare, minimum, minimum)
    if least is None or len(least) != 4:
        raise ValueError(f"No picture up to {LARGEST_MINIMUM} pixels square has a map of cells.")
    # Over such a length, which costs nothing on meta, rounding by a cell does not matter.
    far = 2**20
    more = cells(bare, minimum + far, minimum)[0] - cells(bare, minimum, minimum)[0]
    stride = round(far / more) if more else far
    try:
        reach = _reach(_thin(bare), ONE_CHANNEL, stride, minimum)
    except (RuntimeError, IndexError):  # it depends on the number of its channels
        reach = _reach(_positive(bare), MEAN_OF_MAX, stride, minimum)
    return Geometry(stride, reach or UNBOUNDED, least[1], minimum, reach is not None)


def _reach(positive: nn.Module, rules: Rules, stride: int, minimum: int) -> tuple[int, int] | None:
    """Measure on ever longer strips, until one exceeds the field on both sides."""
    length = 4 * (minimum + stride)
    while length <= LONGEST_STRIP:
        # Both axes, two lengths, two cells: tiles are exact only if all have the same reach.
        reaches = [
            _strip_reach(positive, rules, (minimum, length), 0, stride),
            _strip_reach(positive, rules, (length, minimum), 0, stride),
            _strip_reach(positive, rules, (minimum, length + 1), 1, stride),
        ]
        if None not in reaches:
            return reaches[0] if len(set(reaches)) == 1 else None
        length *= 2
    return None


def _strip_reach(
    positive: nn.Module, rules: Rules, size: tuple[int, int], beside: int, stride: int
) -> tuple[int, int] | None:
    """Return the reach of the cell `beside` the middle one; None where a border may cut it off.

    `size` is the strip's (height, width); the reach is measured along the longer of them.
    """
    upright = size[0] > size[1]
    x = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
    interruption.check()
    with torch.enable_grad(), FunctionOverride(rules):
        along = positive(x).sum(dim=-1 if upright else -2)[0]  # (C, cells along the strip)
    cell = along.shape[1] // 2 + beside
    # Weights, because the plain sum over the channels of a normalised map is a constant.
    weights = torch.linspace(1, 2, along.shape[0], dtype=x.dtype)
    (grad,) = torch.autograd.grad((along[:, cell] * weights).sum(), x)
    seen = grad[0].sum(dim=(0, 2 if upright else 1)).nonzero().flatten().tolist()
    # Up to a stride of pixels at the end are in no window, so no cell sees them.
    if not seen or seen[0] < stride or seen[-1] >= max(size) - stride:
        return None
    return seen[0] - cell * stride, seen[-1] - cell * stride


def _positive(original: nn.Module) -> nn.Module:
    """Return a float64 copy on the CPU whose maps are positive and decrease slowly with depth.

    Weights are around 1 / fan-in, so neither depth nor width exceeds float64's range.
    """
    network = _without_activations(original).to_empty(device="cpu").double()
    random = torch.Generator().manual_seed(0)
    for buffer in network.buffers():
        buffer.zero_()  # to_empty() leaves them uninitialised
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.reset_running_stats()
    for weight in network.parameters():
        fan_in = weight[0].numel() if weight.dim() > 1 else 1
        weight.requires_grad_(False).copy_(
            (0.5 + torch.rand(weight.shape, generator=random, dtype=weight.dtype)) / fan_in
        )
    return network


def _thin(original: nn.Module) -> nn.Module:
    """Return a copy without activations, with a single 1 for the scales of channels."""
    network = _without_activations(original)
    for module in network.modules():
        for name, scale in list(module.named_parameters(recurse=False)):
            if scale.dim() == 3 and scale.shape[1:] == (1, 1):
                one = torch.ones(1, 1, 1, dtype=torch.float64)
                setattr(module, name, nn.Parameter(one, requires_grad=False))
    return network


def _without_activations(original: nn.Module) -> nn.Module:
    """Return a copy in eval mode without activations: they move nothing, but some saturate."""
    network = copy.deepcopy(original).eval()
    for module in network.modules():
        for name, child in module.named_children():
            if type(child).__module__ == activation.__name__ and not isinstance(
                child, nn.MultiheadAttention
            ):
                setattr(module, name, nn.Identity())
    return network
