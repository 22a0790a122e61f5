"""Steps that the kernel needs no operation of its own for, as part of others.

Padding becomes part of the convolutions that read it, and an affine step is a depthwise convolution
with kernels of one number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dreamlayer.networks.executors.kernel.operations import UnsupportedStep
from dreamlayer.networks.program.convolution import Pair
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.steps import Affine, Conv, Pad, Step


@dataclass(frozen=True)
class PaddedConv(Conv):
    """A convolution with `padding` above and left of the map, and `behind` below and right of it.

    Both are fewer zeros than the kernel's side.
    """

    behind: Pair


def rewritten(program: Program) -> Program:
    """Return an equal program whose convolutions are PaddedConv, without Pad and Affine.

    UnsupportedStep for padding that is not read by convolutions alone, or as wide as their kernels.
    """
    pads: dict[int, Pad] = {}
    written: list[Step] = []
    for step in program.steps:
        if isinstance(step, Pad) and step.output not in program.outputs:
            pads[step.output] = step
            continue
        if isinstance(step, Affine):
            step = _as_convolution(step)  # noqa: PLW2901
        if isinstance(step, Conv):
            step = _padded(step, pads.get(step.inputs[0]))  # noqa: PLW2901
        elif pads.keys() & set(step.inputs):
            raise UnsupportedStep("Padding of what is read by something else than a convolution.")
        written.append(step)
    return Program(tuple(written), program.outputs)


def _as_convolution(step: Affine) -> Conv:
    weight = step.scale[:, None, None, None]
    return Conv(step.inputs, step.output, weight, step.shift, (1, 1), (0, 0), len(step.scale))


def _padded(step: Conv, pad: Pad | None) -> PaddedConv:
    padded = PaddedConv(**vars(step), behind=step.padding)
    if pad is None:
        return padded
    rows, columns = step.padding
    before, behind = (rows + pad.above, columns + pad.left), (rows + pad.below, columns + pad.right)
    sides = step.weight.shape[2:]
    if any(max(both) >= side for *both, side in zip(before, behind, sides, strict=True)):
        raise UnsupportedStep("Padding as wide as the kernel of the convolution behind it.")
    return replace(padded, inputs=pad.inputs, padding=before, behind=behind)
