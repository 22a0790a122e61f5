"""Reorders the steps of a program so that it runs faster; its results stay the same to the bit."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.steps import Concat, Conv, MaxPool, Relu, Step


@dataclass(frozen=True)
class Join(Step):
    """Concatenated channels of all inputs, some through a ReLU, bounded by `most` if given."""

    relus: tuple[bool, ...]
    most: float | None


def arranged(program: Program) -> Program:
    """Return the program with each ReLU and each concatenation where it costs least.

    - A ReLU that is read by a concatenation only becomes part of it.
    - Wherever a gradient passes, max pools choose the same cells in front of a ReLU as behind it,
      and leave fewer cells: a ReLU that is read by a pool only is moved behind it. So is a
      concatenation; its inputs are pooled one by one.
    """
    steps = {step.output: step for step in program.steps}
    readers = Counter(value for step in program.steps for value in step.inputs)
    readers.update(program.outputs)

    def only_relu(value: int) -> Relu | None:
        step = steps.get(value)
        return step if isinstance(step, Relu) and readers[value] == 1 else None

    done: dict[int, Step] = {}
    fresh = itertools.count(max(steps, default=0) + 1)  # numbers of new values
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
    """A concatenation fused with the ReLUs in front of it that nothing else reads."""
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
    """Add a pool, and behind it the ReLU or the concatenation that was in front of it."""
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
    """Return {value: channels}."""
    counts = {0: 3}
    for step in program.steps:
        inputs = [counts[value] for value in step.inputs]
        counts[step.output] = inputs[0]
        if isinstance(step, Conv):
            counts[step.output] = step.weight.shape[0]
        elif isinstance(step, Join):
            counts[step.output] = sum(inputs)
    return counts
