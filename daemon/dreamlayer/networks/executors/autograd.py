"""Networks run by torch's autograd: slower than the others, but it runs every network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from dreamlayer.networks.executors.base import Executor, area, cut_out
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.program.memory_estimate import TORCH_OVERHEAD
from dreamlayer.runtime import interruption

PROBE = 512  # px, the side of the picture whose pass is estimated
GRADIENTS = 3  # as large as the largest kept value: of a step's output and input, and of a branch


class AutogradExecutor(Executor):
    """Any network that torch can differentiate."""

    name = "autograd"

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> AutogradPass:
        """See Executor.run."""
        return AutogradPass(self._maps, x, outputs, inputs_kept)

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        """See Executor.infer."""
        with torch.no_grad(), interruption.between_operations(area(x)):
            return tuple(map(cut_out, self._maps(x), outputs))

    @cached_property
    def bytes_per_pixel(self) -> float:
        """See Executor.bytes_per_pixel."""
        sizes = _kept_sizes(self._module)
        return (sum(sizes) + GRADIENTS * max(sizes)) * TORCH_OVERHEAD

    def _maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return self._module(x.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]


def forward_bytes_per_pixel(module: nn.Module) -> float:
    """Return the bytes that a module takes for each pixel of a picture, without a gradient."""
    return GRADIENTS * max(_kept_sizes(module)) * TORCH_OVERHEAD


def _kept_sizes(module: nn.Module) -> list[float]:
    """The bytes per pixel of each value that autograd keeps of a picture; and of the maps.

    Measured with a picture and weights without numbers, so it takes no memory and little time.
    """
    own = itertools.chain(module.named_parameters(), module.named_buffers())
    weights = {name: array.to("meta") for name, array in own}
    kept: dict[int, Tensor] = {}  # by storage, so that none is counted twice

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage()._cdata] = value
        return value

    dtype = next(iter(weights.values())).dtype
    x = torch.empty(1, 3, PROBE, PROBE, device="meta", dtype=dtype, requires_grad=True)
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value)
    with torch.enable_grad(), hooks:
        maps = torch.func.functional_call(module, weights, (x,))
    for array in weights.values():
        kept.pop(array.untyped_storage()._cdata, None)
    sizes = [value.untyped_storage().nbytes() for value in kept.values()]
    return [size / PROBE**2 for size in [*sizes, *(c.numel() * c.itemsize for c in maps)]]


class AutogradPass:
    """A pass of any network that torch can differentiate; see Pass."""

    def __init__(
        self,
        module: Callable[[Tensor], tuple[Tensor, ...]],
        x: Tensor,
        outputs: Sequence[Box] | None = None,
        inputs_kept: Box | None = None,
    ) -> None:
        """Run a network whose weights need no gradient; see Executor.run."""
        self._x, self._inputs_kept = x.detach().requires_grad_(True), inputs_kept
        with torch.enable_grad(), interruption.between_operations(area(x)):
            self._recorded = module(self._x)
            if outputs is not None:
                self._recorded = tuple(map(cut_out, self._recorded, outputs))
        self.maps = tuple(cells.detach() for cells in self._recorded)

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        recorded, self._recorded = self._recorded, ()
        with interruption.between_operations(area(self._x)):
            (grad,) = torch.autograd.grad(recorded, self._x, list(grads))
        return grad if self._inputs_kept is None else cut_out(grad, self._inputs_kept)
