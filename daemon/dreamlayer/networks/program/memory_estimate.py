"""Estimates the memory of a tape's pass from its program."""

from __future__ import annotations

from collections import Counter

from torch import Tensor

from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.passes import Join, arranged, channels
from dreamlayer.networks.program.regions import reach
from dreamlayer.networks.program.steps import Cast, MaxPool, Relu

TORCH_OVERHEAD = 1.25  # measured memory over the estimate: oneDNN has buffers of its own
INDEX = 8  # bytes of a max pool's choice


def bytes_per_pixel(program: Program) -> float:
    """Return the peak bytes of a pass for each pixel of its crop, forward or backward."""
    program = arranged(program)
    depth, density, sample = channels(program), {0: 1.0}, {0: _bytes_of_a_number(program)}
    for step in program.steps:
        (value, *_), output = step.inputs, step.output
        strides = [reach(step, axis).stride for axis in (0, 1)]
        density[output] = density[value] / (strides[0] * strides[1])
        sample[output] = step.behind.itemsize if isinstance(step, Cast) else sample[value]
    size = {value: depth[value] * density[value] * sample[value] for value in depth}
    left = Counter(value for step in program.steps for value in step.inputs)
    left.update(program.outputs)
    held, kept, most = {0: size[0]}, dict[int, float](), 0.0
    for step in program.steps:
        if isinstance(step, MaxPool):
            kept[step.output] = size[step.output] / sample[step.output] * INDEX
        elif isinstance(step, Relu) or (isinstance(step, Join) and any(step.relus)):
            kept[step.output] = size[step.output]  # it is the value itself
        held[step.output] = size[step.output]
        most = max(most, _together(held, kept))
        left.subtract(step.inputs)
        for value in step.inputs:
            if not left[value]:
                held.pop(value, None)
    for step in reversed(program.steps):  # the gradients of inputs and output
        most = max(most, sum(kept.values()) + size[step.output] + sum(size[v] for v in step.inputs))
        kept.pop(step.output, None)
    return most


def _bytes_of_a_number(program: Program) -> int:
    fields = (field for step in program.steps for field in vars(step).values())
    return next(field.dtype.itemsize for field in fields if isinstance(field, Tensor))


def _together(held: dict[int, float], kept: dict[int, float]) -> float:
    """Bytes held for later steps and kept for the gradient; counted once where both."""
    return sum(max(held.get(value, 0.0), kept.get(value, 0.0)) for value in held.keys() | kept)
