"""Putting a program's steps into a better order, for which its results are the same to the bit."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.steps import Concat, Conv, MaxPool, Relu, Step


@dataclass(frozen=True)
class Join(Step):
    """The channels of all inputs, one after the other; some through a ReLU, bounded by `most`."""

    relus: tuple[bool, ...]
    most: float | None


def arranged(program: Program) -> Program:
    """Return the program with each ReLU and each concatenation where it costs least.

    - A ReLU that only a concatenation reads becomes part of it.
    - Max pools choose the same cells before a ReLU as behind it, wherever a gradient gets through,
      and leave fewer: a ReLU that only a pool reads goes behind it. So does a concatenation: its
      parts are pooled one by one.
    """
    steps = {step.output: step for step in program.steps}
    readers = Counter(value for step in program.steps for value in step.inputs)
    readers.update(program.outputs)

    def only_relu(value: int) -> Relu | None:
        step = steps.get(value)
        return step if isinstance(step, Relu) and readers[value] == 1 else None

    done: dict[int, Step] = {}
    fresh = itertools.count(max(steps, default=0) + 1)  # numbers for values that are new
    for step in program.steps:
        if isinstance(step, Concat):
            relus = [only_relu(value) for value in step.inputs]
            done[step.output] = _joined(step, relus, done)
        elif isinstance(step, MaxPool):
            _pool(step, done, readers, fresh)
        else:
            done[step.output] = step
    return Program(tuple(done.values()), program.outputs)


def _joined(step: Concat, relus: list[Relu | None], done: dict[int, Step]) -> Join:
    """A concatenation with the ReLUs in front of it that nothing else reads."""
    most = {relu.most for relu in relus if relu}
    if len(most) != 1:
        return Join(step.inputs, step.output, (False,) * len(relus), None)
    for relu in relus:
        if relu:
            del done[relu.output]
    inputs = [r.inputs[0] if r else v for r, v in zip(relus, step.inputs, strict=True)]
    return Join(tuple(inputs), step.output, tuple(r is not None for r in relus), most.pop())


def _pool(
    step: MaxPool, done: dict[int, Step], readers: Counter[int], fresh: Iterator[int]
) -> None:
    """Write down a pool, and behind it the ReLU or the concatenation that was in front of it."""
    (value,) = step.inputs
    before = done.get(value) if readers[value] == 1 else None
    if isinstance(before, Relu):
        del done[value]
        done[value] = replace(step, inputs=before.inputs, output=value)
        done[step.output] = replace(before, inputs=(value,), output=step.output)
    elif isinstance(before, Join):
        del done[value]
        pooled = tuple(next(fresh) for _ in before.inputs)
        for part, new in zip(before.inputs, pooled, strict=True):
            done[new] = replace(step, inputs=(part,), output=new)
        done[step.output] = replace(before, inputs=pooled, output=step.output)
    else:
        done[step.output] = step


def channels(program: Program) -> dict[int, int]:
    """The number of channels of each value."""
    found = {0: 3}
    for step in program.steps:
        given = [found[value] for value in step.inputs]
        found[step.output] = given[0]
        if isinstance(step, Conv):
            found[step.output] = step.weight.shape[0]
        elif isinstance(step, Join):
            found[step.output] = sum(given)
    return found
