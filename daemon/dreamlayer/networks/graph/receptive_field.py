"""What a cell of a feature map sees: stride and receptive field, measured on the network.

Nothing is typed in. A copy of the network gets positive weights and average pooling instead of max
pooling (over the same windows), so that no dependence can cancel or lose against a larger one; the
gradient of one cell is then non-zero at exactly those pixels the cell depends on.

What a convolution sees does not depend on its channels. So the copy is tried with one channel
throughout, which takes milliseconds; networks that take channels apart need them all.
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

Cut = Callable[[Tensor], Tensor]  # (1, 3, H, W) → (1, C, h, w)

LONGEST_STRIP = 8192  # px; a field too wide for it counts as the whole picture
LARGEST_MINIMUM = 1024  # px
UNBOUNDED = (-(2**31), 2**31)  # the reach of a cell that may see every pixel


@dataclass(frozen=True)
class Geometry:
    """Where the cells of a feature map lie on the picture.

    Cell i sees the pixels `i*stride + reach[0]` to `i*stride + reach[1]`, both included, on both
    axes, as far as the picture goes. `local` is False where that does not hold: cells
    that see the whole picture (global pooling, squeeze-excite, attention), or fields whose place
    depends on the picture's size; `reach` is then UNBOUNDED.
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
        """Pixels wanted around a block of cells, on every side: a multiple of the stride.

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
    """Of a map turned to (1, h, w, C), with one channel."""
    if x.shape[-1] != 1:
        raise RuntimeError("It is not of the channels.")
    return x


def _thin_layer_norm(x: Tensor, normalized_shape: Any, *_: Any, **__: Any) -> Tensor:
    if len(normalized_shape) != 1:
        raise RuntimeError("It is not of the channels alone.")
    return _thin_linear(x)


def _unchanged(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x


# On the meta device these take a hundred times as long as a convolution, to change no shape.
NO_SHAPE_CHANGES: Rules = {
    nn.functional.batch_norm: _unchanged,
    nn.functional.relu: _unchanged,
    nn.functional.hardtanh: _unchanged,
    nn.functional.silu: _unchanged,
    nn.functional.gelu: _unchanged,
    nn.functional.layer_norm: _unchanged,
}
MEAN_OF_MAX: Rules = {nn.functional.max_pool2d: _average_pool}  # what nn.MaxPool2d calls, too
ONE_CHANNEL: Rules = {
    **MEAN_OF_MAX,
    nn.functional.conv2d: _thin_convolution,
    nn.functional.linear: _thin_linear,
    nn.functional.layer_norm: _thin_layer_norm,
    nn.functional.batch_norm: _unchanged,  # with the statistics of training: no cell sees more
}


def shapes_alone() -> TorchFunctionMode:
    """Return a context in which what does not change a shape is left out."""
    return FunctionOverride(NO_SHAPE_CHANGES)


def shape(cut: Cut, height: int, width: int) -> torch.Size | None:
    """Return the map's shape; None for too small a picture. `cut` is on `meta`."""
    try:
        with shapes_alone():
            return cut(torch.empty(1, 3, height, width, device="meta")).shape
    except RuntimeError:  # torch's way to say that a window is larger than what it slides over
        return None


def cells(cut: Cut, height: int, width: int) -> tuple[int, int]:
    """Return the size (h, w) of the map; (0, 0) for too small a picture. `cut` is on `meta`."""
    found = shape(cut, height, width)
    return (0, 0) if found is None else (found[-2], found[-1])


def smallest_side(cut: Cut) -> int:
    """Return the side in px of the smallest square with a cell. `cut` is on `meta`."""
    low, high = 0, LARGEST_MINIMUM  # `low` gives none, `high` is taken to give one
    while high - low > 1:
        middle = (low + high) // 2
        if min(cells(cut, middle, middle)) > 0:
            high = middle
        else:
            low = middle
    return high


def measure(cut: nn.Module) -> Geometry:
    """Return the geometry of a cut network, from pictures (1, 3, H, W) to one map (1, C, h, w).

    The network is left as it is; its weights do not matter and may be on any device, `meta` too.
    ValueError if it gives no map.
    """
    bare = copy.deepcopy(cut).to("meta")
    minimum = smallest_side(bare)
    least = shape(bare, minimum, minimum)
    if least is None or len(least) != 4:
        raise ValueError(f"No picture up to {LARGEST_MINIMUM} pixels square gives a map of cells.")
    # A cell more or less by rounding does not matter over such a length, which costs nothing here.
    far = 2**20
    more = cells(bare, minimum + far, minimum)[0] - cells(bare, minimum, minimum)[0]
    stride = round(far / more) if more else far
    try:
        reach = _reach(_thin(bare), ONE_CHANNEL, stride, minimum)
    except (RuntimeError, IndexError):  # it counts on the number of its channels
        reach = _reach(_positive(bare), MEAN_OF_MAX, stride, minimum)
    return Geometry(stride, reach or UNBOUNDED, least[1], minimum, reach is not None)


def _reach(positive: nn.Module, rules: Rules, stride: int, minimum: int) -> tuple[int, int] | None:
    """Measure on ever longer strips, until one is longer than the field on both sides."""
    length = 4 * (minimum + stride)
    while length <= LONGEST_STRIP:
        # Both axes, two lengths, two cells: tiles are exact only if the field lies alike in all.
        found = [
            _strip_reach(positive, rules, (minimum, length), 0, stride),
            _strip_reach(positive, rules, (length, minimum), 0, stride),
            _strip_reach(positive, rules, (minimum, length + 1), 1, stride),
        ]
        if None not in found:
            return found[0] if len(set(found)) == 1 else None
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
    with torch.enable_grad(), FunctionOverride(rules):
        along = positive(x).sum(dim=-1 if upright else -2)[0]  # (C, cells along the strip)
    cell = along.shape[1] // 2 + beside
    # Weights, because the plain sum over the channels of a normalised map is a constant.
    weights = torch.linspace(1, 2, along.shape[0], dtype=x.dtype)
    (slope,) = torch.autograd.grad((along[:, cell] * weights).sum(), x)
    seen = slope[0].sum(dim=(0, 2 if upright else 1)).nonzero().flatten().tolist()
    # Windows that do not fit leave up to a stride of pixels at the end that no cell sees.
    if not seen or seen[0] < stride or seen[-1] >= max(size) - stride:
        return None
    return seen[0] - cell * stride, seen[-1] - cell * stride


def _positive(cut: nn.Module) -> nn.Module:
    """Return a float64 copy on the CPU whose maps are positive and fall off slowly.

    Weights lie around 1 / fan-in, so neither depth nor width runs out of float64's range.
    """
    network = _without_activations(cut).to_empty(device="cpu").double()
    random = torch.Generator().manual_seed(0)
    for buffer in network.buffers():
        buffer.zero_()  # a network from `meta` brings none, and to_empty() leaves what memory held
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.reset_running_stats()
    for weight in network.parameters():
        fan_in = weight[0].numel() if weight.dim() > 1 else 1
        weight.requires_grad_(False).copy_(
            (0.5 + torch.rand(weight.shape, generator=random, dtype=weight.dtype)) / fan_in
        )
    return network


def _thin(cut: nn.Module) -> nn.Module:
    """Return a copy without activations, and with a single 1 for what scales channels."""
    network = _without_activations(cut)
    for module in network.modules():
        for name, scale in list(module.named_parameters(recurse=False)):
            if scale.dim() == 3 and scale.shape[1:] == (1, 1):
                one = torch.ones(1, 1, 1, dtype=torch.float64)
                setattr(module, name, nn.Parameter(one, requires_grad=False))
    return network


def _without_activations(cut: nn.Module) -> nn.Module:
    """Return a copy in eval mode without activations: none moves anything, but some saturate."""
    network = copy.deepcopy(cut).eval()
    for module in network.modules():
        for name, child in module.named_children():
            if type(child).__module__ == activation.__name__ and not isinstance(
                child, nn.MultiheadAttention
            ):
                setattr(module, name, nn.Identity())
    return network
