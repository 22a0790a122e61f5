"""The first convolutions of a network, which a card computes in float32, forward.

Their results decide more than all later ones: what is rounded there moves the inputs of every ReLU
and max pool behind. Backward nothing is decided, so the gradient has 16 bits there, too. They
cost a card little in float32: with three colours and short sums it waits for its memory, not for
its matrix units.
"""

from __future__ import annotations

from collections.abc import Iterator

from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.regions import reach
from dreamlayer.networks.program.steps import Conv

SHORT = 128  # products that add up to one number, at most; or the input is the picture
SHARE = 0.25  # of all multiplications of the program, at most
COLOURS = 3


def front_length(program: Program) -> int:
    """How many of a program's first steps are its front; at least the normalisation, the first.

    The front ends with a convolution, whose result is all that the other steps read of it.
    """
    work = dict(_multiplications(program))
    most, done, length = SHARE * sum(work.values()), 0.0, 1
    for place, step in enumerate(program.steps):
        if not isinstance(step, Conv):
            continue
        products, inputs = step.weight[0].numel(), step.weight.shape[1] * step.groups
        done += work[place]
        if done > most or (products > SHORT and inputs > COLOURS):
            break
        if _read_behind(program, place + 1) == {step.output}:
            length = place + 1
    return length


def _multiplications(program: Program) -> Iterator[tuple[int, float]]:
    """The place of each convolution, and its multiplications for a pixel of the picture."""
    density = {0: 1.0}
    for place, step in enumerate(program.steps):
        down, right = (reach(step, axis).stride for axis in (0, 1))
        density[step.output] = density[step.inputs[0]] / (down * right)
        if isinstance(step, Conv):
            yield place, step.weight.numel() * density[step.output]


def _read_behind(program: Program, length: int) -> set[int]:
    """The values of the first `length` steps, or the picture, that anything else reads."""
    made = {0, *(step.output for step in program.steps[:length])}
    read = {value for step in program.steps[length:] for value in step.inputs}
    return made & (read | set(program.outputs))
