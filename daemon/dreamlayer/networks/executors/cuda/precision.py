"""In which number format a network computes on a card, and its program in that format.

float16 first: it rounds eight times as finely as bfloat16, and every card has it. Its largest
number is 65504, though: where a network's numbers are larger, bfloat16 takes over. Picture, detail
and gradient stay float32. The environment variable DREAMLAYER_PRECISION demands one format.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dreamlayer.networks.executors.base import Pass
from dreamlayer.networks.executors.cuda.float32_front import front_length
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.steps import Cast, Normalise, Step

PRECISION = "DREAMLAYER_PRECISION"  # environment
PRECISIONS = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "tf32": torch.float32,  # multiplied with 10 bits
    "fp32": torch.float32,
}
FIRST = "fp16"
WIDER = ("bf16", "fp32")  # where fp16 overflows; the second where a card has no bfloat16


class BadPrecision(ValueError):
    """Unknown precision; the message is a sentence for the user."""


def demanded() -> str | None:
    """Return the precision that the environment demands; None: by what the numbers do."""
    choice = os.environ.get(PRECISION, "").strip().lower()
    if choice and choice not in PRECISIONS:
        raise BadPrecision(f"{PRECISION} is {choice!r:.20}: use {', '.join(PRECISIONS)}.")
    return choice or None


def converted(program: Program, dtype: torch.dtype) -> Program:
    """Return the program in another number format, except for its front (`front.py`).

    The front runs forward in the program's own format; gradients have the other one, up to the
    picture. Rounding the picture itself would lose small differences.
    """
    first = program.steps[0]
    if first.inputs != (0,) or not isinstance(first, Normalise):
        raise ValueError("The first step of a program has to be the normalisation of the picture.")
    own, length = first.mean.dtype, front_length(program)
    front, rest = list(program.steps[:length]), program.steps[length:]
    if length > 1:
        front[:1] = _cast_behind(first, own, own)
    front[-1:] = _cast_behind(front[-1], own if length == 1 else dtype, dtype)

    def convert(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, Tensor) else value

    narrow = (
        replace(step, **{name: convert(value) for name, value in vars(step).items()})
        for step in rest
    )
    return Program((*front, *narrow), program.outputs)


def _cast_behind(step: Step, backward: torch.dtype, forward: torch.dtype) -> list[Step]:
    """A step, and the cast of its result; it keeps its number, for those who read it."""
    unused = -step.output  # a number that no other value has
    return [replace(step, output=unused), Cast((unused,), step.output, backward, forward)]


class CastPass:
    """A pass with maps and gradient in another number format than its steps."""

    def __init__(self, inner: Pass, dtype: torch.dtype) -> None:
        self._inner, self._dtype = inner, dtype
        self._narrow = inner.maps[0].dtype
        self.maps = tuple(cells.to(dtype) for cells in inner.maps)

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        # Scale by the largest: float16 cannot represent very small gradients.
        each = [grad.abs().amax() for grad in grads if grad.numel()]
        largest = each[0] if len(each) == 1 else torch.stack(each).amax()
        largest = torch.where(largest > 0, largest.log2().floor().exp2(), 1.0)  # powers of 2: exact
        gradient = self._inner.backward([(grad / largest).to(self._narrow) for grad in grads])
        return gradient.to(self._dtype).mul_(largest)
