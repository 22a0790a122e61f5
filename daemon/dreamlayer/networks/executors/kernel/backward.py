"""The operations that bring the grads of a network's maps back to its picture.

The grads at a root behind ReLUs are gated by whatever writes them: nobody sees them otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import (
    COLOURS,
    GROUP,
    Operation,
    Place,
    Uncovered,
)


def backward(
    forward: Sequence[Operation],
    outputs: Sequence[Place],
    depths: Sequence[int],
    gated: Collection[int],
) -> list[Operation]:
    """Return them in the order in which the grads become complete.

    Args:
        forward: the operations of the way there.
        outputs: the places of the maps.
        depths: of each root.
        gated: the roots that ReLUs have marked.
    """
    written = [
        Operation(kernel.COPY, None, place, seed=number) for number, place in enumerate(outputs)
    ]
    scale = next(one.scale for one in forward if one.kind == kernel.PICTURE)
    for one in reversed(forward):
        if one.source is not None:
            written.append(_back(one, scale))
    # All that is added to a root's grads, one after the other, before anything reads them.
    last = {one.target.root: number for number, one in enumerate(written)}
    written.sort(key=lambda one: last[one.target.root])
    found: list[Operation] = []
    for root, group in groupby(written, key=lambda one: one.target.root):
        whole = Place(root, 0, depths[root], depths[root])
        found += _added(whole, list(group), kernel.GATE if root in gated else 0)
    check_order(found)
    return found


def _added(whole: Place, parts: list[Operation], gate: int) -> Iterable[Operation]:
    """What is written into a root's grads: the first all over, the others added to it."""
    if parts[0].kind == kernel.GRADIENT:
        yield parts[0]
        return
    if parts[0].target.depth == whole.depth:
        yield replace(parts[0], finish=gate)
        parts = parts[1:]
    else:
        yield Operation(kernel.CLEAR, None, whole)
    for part in parts:
        yield replace(part, finish=gate | kernel.ADD)


def check_order(operations: Sequence[Operation]) -> None:
    """Uncovered if anything reads some channels of a root before all of them are there."""
    read: set[int] = set()
    for one in operations:
        if one.target.root in read:
            raise Uncovered("A concatenation of which a part is made from another.")
        if one.source is not None:
            read.add(one.source.root)


def _back(one: Operation, scale: tuple[float, ...]) -> Operation:
    """The operation from the grads at a forward operation's target to those at its source."""
    if one.source is None:
        raise ValueError("The picture's planes have no grad of their own.")
    turned = replace(one, source=one.target, target=one.source, bias=None, finish=0)
    if one.kind == kernel.MAX_POOL:
        return replace(turned, kind=kernel.MAX_BACK)
    if one.kind == kernel.MEAN_POOL:
        return replace(turned, kind=kernel.MEAN_BACK)
    if one.weight is None:
        return turned
    if one.source.depth == COLOURS:
        return _gradient(one, scale)
    rows, columns = (side - 1 - p for side, p in zip(one.kernel, one.padding, strict=True))
    weight = one.weight.transpose(0, 1).flip(2, 3)
    return replace(turned, padding=(rows, columns), weight=weight)


def _gradient(one: Operation, scale: tuple[float, ...]) -> Operation:
    """The grad of the picture from that of the first convolution.

    With stride s, pixel y gets from cell o what the kernel's row y + padding − s·o gives. A block
    of f·f pixels, f a multiple of s, is one cell of a convolution with pace f/s over the grads:
    its channels are the block's pixels' colours.
    """
    if one.weight is None or one.pace[0] != one.pace[1] or one.source is None:
        raise Uncovered("A first convolution with two strides.")
    stride, (rows, columns) = one.pace[0], one.kernel
    block = max(2, stride) // stride * stride
    pace = block // stride
    before = ((rows - 1) // stride, (columns - 1) // stride)
    sides = (pace + before[0], pace + before[1])
    outs = one.weight.shape[0]
    weight = one.weight.new_zeros(block, block, COLOURS, outs, *sides)
    for down in range(block):
        for y in range(sides[0]):
            row = down - stride * (y - before[0])
            for across in range(block):
                for x in range(sides[1]):
                    column = across - stride * (x - before[1])
                    if 0 <= row < rows and 0 <= column < columns:
                        weight[down, across, :, :, y, x] = one.weight[:, :, row, column].T
    channels = block * block * COLOURS
    depth = -(-channels // GROUP) * GROUP
    return Operation(
        kernel.GRADIENT, one.target, Place(one.source.root, 0, depth, channels), 0,
        sides, (pace, pace), before, weight=weight.flatten(0, 2), block=block,
        offset=one.padding, scale=scale,
    )  # fmt: skip
