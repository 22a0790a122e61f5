"""Runs a program forward and backward without autograd, keeping only what the gradient needs.

Torch's autograd keeps every activation, copies for each concatenation, and computes every gradient
for the whole crop. Here
- only the cells that are needed are computed (`program/regions.py`), forward and backward;
- a value is freed as soon as no step reads it; for the gradient there remain the choices of the max
  pools, and for each ReLU its result, or a mask where the result is large;
- ReLUs are moved to where they cost least (`program/passes.py`);
- the gradient of a convolution is a forward convolution (`program/convolution.py`).

To the last bit, the result at a pixel depends neither on the crop nor on what is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dreamlayer.networks.executors.base import Executor, cut_out
from dreamlayer.networks.executors.tape.operations import OPERATIONS, fit
from dreamlayer.networks.program.convolution import Box, backward_weight
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.memory_estimate import TORCH_OVERHEAD, bytes_per_pixel
from dreamlayer.networks.program.passes import arranged, channels
from dreamlayer.networks.program.regions import ProgramRegion, lengths_of, program_region
from dreamlayer.networks.program.steps import Conv
from dreamlayer.runtime import interruption

NONE: Box = ((0, 0), (0, 0))
REGIONS_KEPT = 256  # tile shapes


class TapeExecutor(Executor):
    """A program prepared for running; several threads may run it at once.

    Args:
        gradients: the number format of all gradients; None: that of the maps.
    """

    name = "tape"

    def __init__(self, program: Program, gradients: torch.dtype | None = None) -> None:
        self.program = arranged(program)
        self.gradients = gradients
        self._original = program
        steps = self.program.steps
        self.readers = Counter(value for step in steps for value in step.inputs)
        self.readers.update(self.program.outputs)
        self.last = {value: k for k, step in enumerate(steps) for value in step.inputs}
        self.channels = channels(self.program)
        self._backward_weights: dict[int, Tensor] = {}
        self._regions: dict[object, TapeRegions] = {}

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> TapePass:
        """See Executor.run."""
        size = (x.shape[-2], x.shape[-1])
        return TapePass(self, x, self._needed(size, outputs, inputs_kept or _all(size)))

    def infer(self, x: Tensor, outputs: Sequence[Box] | None = None) -> tuple[Tensor, ...]:
        """See Executor.infer; all cells if `outputs` is None."""
        size = (x.shape[-2], x.shape[-1])
        return TapePass(self, x, self._needed(size, outputs, None)).maps

    @cached_property
    def bytes_per_pixel(self) -> float:
        """See Executor.bytes_per_pixel."""
        return bytes_per_pixel(self._original) * TORCH_OVERHEAD

    def backward_weight(self, step: Conv) -> Tensor:
        """The weight of the convolution that computes a convolution's gradient; cached."""
        if step.output not in self._backward_weights:
            weight = backward_weight(step.weight, step.stride, step.groups)
            self._backward_weights[step.output] = weight.to(self.gradients or weight.dtype)
        return self._backward_weights[step.output]

    def _needed(
        self, size: tuple[int, int], outputs: Sequence[Box] | None, inputs_kept: Box | None
    ) -> TapeRegions:
        """The regions of a pass; cached."""
        key = (size, None if outputs is None else tuple(outputs), inputs_kept)
        regions = self._regions.get(key)
        if regions is None:
            boxes = self._grids(size) if outputs is None else tuple(outputs)
            rows, columns = (
                program_region(
                    self.program,
                    axis,
                    size[axis],
                    [b[axis] for b in boxes],
                    (inputs_kept or NONE)[axis],
                )
                for axis in (0, 1)
            )
            regions = TapeRegions(rows, columns, boxes, inputs_kept)
            if len(self._regions) >= REGIONS_KEPT:
                self._regions.clear()
            self._regions[key] = regions
        return regions

    def _grids(self, size: tuple[int, int]) -> tuple[Box, ...]:
        """All cells of each map of a crop."""
        rows, columns = (lengths_of(self.program, axis, size[axis]) for axis in (0, 1))
        return tuple(_all((rows[value], columns[value])) for value in self.program.outputs)


class TapeRegions(NamedTuple):
    """What a pass computes.

    The regions of all values along both axes, the requested cells of each map, and the pixels whose
    gradient is needed (None: no gradient).
    """

    rows: ProgramRegion
    columns: ProgramRegion
    outputs: tuple[Box, ...]
    inputs_kept: Box | None


class TapePass:
    """One pass of a program over a crop; see Pass."""

    def __init__(self, tape: TapeExecutor, x: Tensor, regions: TapeRegions) -> None:
        self.backwards = regions.inputs_kept is not None
        self.gradients = tape.gradients
        self._tape, self._regions = tape, regions
        self._kept: dict[int, Any] = {}  # {output of a step: what its backward() needs}
        map_values = tape.program.outputs
        values = {0: cut_out(x.detach(), self.forward_region(0))}
        with torch.no_grad():
            for number, step in enumerate(tape.program.steps):
                interruption.check()
                if not _any(self.forward_region(step.output)):
                    continue
                result, kept = OPERATIONS[type(step)].forward(
                    self, step, [values[value] for value in step.inputs]
                )
                values[step.output] = result
                if self.backwards and self._reached(step.output):
                    self._kept[step.output] = kept
                for value in set(step.inputs):
                    if tape.last[value] == number and value not in map_values:
                        del values[value]
                del result, kept
        self.maps = tuple(
            fit(values[value], self.forward_region(value), box)
            if _any(box)
            else x.new_empty(1, tape.channels[value], 0, 0)
            for value, box in zip(map_values, regions.outputs, strict=True)
        )

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        inputs_kept, map_values = self._regions.inputs_kept, self._tape.program.outputs
        assert inputs_kept is not None
        pending: dict[int, Tensor] = {}  # {value: its gradient, as far as it is added up}
        with torch.no_grad():
            for value, grad, box in zip(map_values, grads, self._regions.outputs, strict=True):
                if self._reached(value):
                    own = fit(grad, box, self.backward_region(value))
                    _gather(pending, value, own.clone(memory_format=torch.channels_last))
            for step in reversed(self._tape.program.steps):
                interruption.check()
                step_grad = pending.pop(step.output, None)
                kept = self._kept.pop(step.output, None)
                if step_grad is None:
                    continue
                input_grads = OPERATIONS[type(step)].backward(self, step, step_grad, kept)
                del step_grad, kept
                for value, part in zip(step.inputs, input_grads, strict=True):
                    if self._reached(value):
                        _gather(pending, value, part)
            (top, bottom), (left, right) = inputs_kept
            if 0 not in pending:
                return grads[0].new_zeros(1, 3, bottom - top, right - left)
            return fit(pending[0], self.backward_region(0), inputs_kept)

    def forward_region(self, value: int) -> Box:
        return self._regions.rows.forward[value], self._regions.columns.forward[value]

    def backward_region(self, value: int) -> Box:
        return self._regions.rows.backward[value], self._regions.columns.backward[value]

    def shape(self, value: int) -> tuple[int, int]:
        return self._regions.rows.length[value], self._regions.columns.length[value]

    def has_one_reader(self, value: int) -> bool:
        return value != 0 and self._tape.readers[value] == 1

    def backward_weight(self, step: Conv) -> Tensor:
        return self._tape.backward_weight(step)

    def _reached(self, value: int) -> bool:
        """Whether the gradient at any of its cells is needed."""
        return _any(self.backward_region(value))


def _any(box: Box) -> bool:
    return all(start < stop for start, stop in box)


def _all(size: tuple[int, int]) -> Box:
    return (0, size[0]), (0, size[1])


def _gather(grads: dict[int, Tensor], value: int, grad: Tensor) -> None:
    """Add the gradient from one reader of a value to those from the others."""
    if value in grads:
        grads[value].add_(grad)
    else:
        grads[value] = grad
