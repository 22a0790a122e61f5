"""Networks run by torch's autograd: slower than the others, but it runs every network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from dreamlayer.networks.executors.base import Executor, cut_out
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.program.memory_estimate import TORCH_OVERHEAD, bytes_per_pixel
from dreamlayer.runtime import interruption

UNKNOWN = 964.0  # bytes per pixel of a network that has no program to estimate them from


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
        with torch.no_grad(), interruption.between_operations():
            return tuple(map(cut_out, self._maps(x), outputs))

    @cached_property
    def bytes_per_pixel(self) -> float:
        """See Executor.bytes_per_pixel; the estimate for a tape, if the network has a program."""
        program = program_of(self._module)
        if program is None:
            return UNKNOWN
        return bytes_per_pixel(program) * TORCH_OVERHEAD

    def _maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return self._module(x.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]


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
        with torch.enable_grad(), interruption.between_operations():
            self._recorded = module(self._x)
            if outputs is not None:
                self._recorded = tuple(map(cut_out, self._recorded, outputs))
        self.maps = tuple(cells.detach() for cells in self._recorded)

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        recorded, self._recorded = self._recorded, ()
        with interruption.between_operations():
            (grad,) = torch.autograd.grad(recorded, self._x, list(grads))
        return grad if self._inputs_kept is None else cut_out(grad, self._inputs_kept)
