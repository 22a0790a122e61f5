"""The backward operations of a network: from the gradients of its maps to that of its picture.

The gradient of a ReLU is part of the operation that writes the gradient at the ReLU's output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import (
    COLOURS,
    GROUP,
    ChannelSlice,
    KernelOperation,
    UnsupportedStep,
)


def backward(
    forward: Sequence[KernelOperation],
    outputs: Sequence[ChannelSlice],
    depths: Sequence[int],
    gated: Collection[int],
) -> list[KernelOperation]:
    """Return the backward operations, in the order in which gradients become complete.

    Args:
        forward: the forward operations.
        outputs: the slices of the maps.
        depths: channels of each root.
        gated: the roots with ReLU marks.

    Raises:
        UnsupportedStep: the kernel cannot compute a gradient of the program.
    """
    written = [
        KernelOperation(kernel.COPY, None, place, seed=number)
        for number, place in enumerate(outputs)
    ]
    scale = next(operation.scale for operation in forward if operation.kind == kernel.PICTURE)
    for operation in reversed(forward):
        if operation.source is not None:
            written.append(_transposed(operation, scale))
    # All contributions to the gradient of a root are added up before any operation reads it.
    last = {operation.target.root: number for number, operation in enumerate(written)}
    written.sort(key=lambda operation: last[operation.target.root])
    operations: list[KernelOperation] = []
    for root, group in groupby(written, key=lambda operation: operation.target.root):
        whole = ChannelSlice(root, 0, depths[root], depths[root])
        operations += _added(whole, list(group), kernel.GATE if root in gated else 0)
    check_order(operations)
    return operations


def _added(
    whole: ChannelSlice, parts: list[KernelOperation], gate: int
) -> Iterable[KernelOperation]:
    """The operations that write the gradient of a root: the first overwrites it, the others add."""
    if parts[0].kind == kernel.GRADIENT:
        yield parts[0]
        return
    if parts[0].target.depth == whole.depth:
        yield replace(parts[0], finish=gate)
        parts = parts[1:]
    else:
        yield KernelOperation(kernel.CLEAR, None, whole)
    for part in parts:
        yield replace(part, finish=gate | kernel.ADD)


def check_order(operations: Sequence[KernelOperation]) -> None:
    """Raise UnsupportedStep if an operation reads a root that a later one still writes to."""
    read: set[int] = set()
    for operation in operations:
        if operation.target.root in read:
            raise UnsupportedStep(
                "A concatenation with an input that is computed from another of its inputs."
            )
        if operation.source is not None:
            read.add(operation.source.root)


# Backward each cell adds up from the windows that contain it, which the forward ones describe.
_GATHERED = {
    kernel.MAX_POOL: kernel.MAX_BACK,
    kernel.MEAN_POOL: kernel.MEAN_BACK,
    kernel.DEPTHWISE: kernel.DEPTHWISE_BACK,
}


def _transposed(operation: KernelOperation, scale: tuple[float, ...]) -> KernelOperation:
    """The operation that computes the gradient at a forward operation's source."""
    if operation.source is None:
        raise ValueError("The picture's planes have no gradient at this point.")
    transposed = replace(
        operation, source=operation.target, target=operation.source, bias=None, finish=0
    )
    if operation.kind in _GATHERED:
        return replace(transposed, kind=_GATHERED[operation.kind])
    if operation.weight is None:
        return transposed
    if operation.source.depth == COLOURS:
        return _gradient(operation, scale)
    if operation.stride != (1, 1):
        weight = operation.weight.transpose(0, 1)
        return replace(transposed, kind=kernel.CONVOLVE_BACK, weight=weight)
    rows, columns = (
        side - 1 - p for side, p in zip(operation.kernel, operation.padding, strict=True)
    )
    weight = operation.weight.transpose(0, 1).flip(2, 3)
    return replace(transposed, padding=(rows, columns), weight=weight)


def _gradient(operation: KernelOperation, scale: tuple[float, ...]) -> KernelOperation:
    """The operation from the gradient of the first convolution to that of the picture.

    With stride s, row y of the picture gets from row o of the gradient the product with the
    kernel's row y + padding − s·o. A block of f·f pixels, f a multiple of s, is thus one cell of a
    convolution with stride f/s over the gradient; its channels are the colours of all pixels of
    the block.
    """
    if (
        operation.weight is None
        or operation.stride[0] != operation.stride[1]
        or operation.source is None
    ):
        raise UnsupportedStep("A first convolution with different strides for rows and columns.")
    stride, (rows, columns) = operation.stride[0], operation.kernel
    block = max(2, stride) // stride * stride
    cells = block // stride
    before = ((rows - 1) // stride, (columns - 1) // stride)
    sides = (cells + before[0], cells + before[1])
    outs = operation.weight.shape[0]
    weight = operation.weight.new_zeros(block, block, COLOURS, outs, *sides)
    for down in range(block):
        for y in range(sides[0]):
            row = down - stride * (y - before[0])
            for across in range(block):
                for x in range(sides[1]):
                    column = across - stride * (x - before[1])
                    if 0 <= row < rows and 0 <= column < columns:
                        weight[down, across, :, :, y, x] = operation.weight[:, :, row, column].T
    channels = block * block * COLOURS
    depth = -(-channels // GROUP) * GROUP
    target = ChannelSlice(operation.source.root, 0, depth, channels)
    return KernelOperation(
        kernel.GRADIENT, operation.target, target, 0, sides, (cells, cells), before,
        weight=weight.flatten(0, 2), block=block, offset=operation.padding, scale=scale,
    )  # fmt: skip
