"""The region of each map on which the gradient at some pixels depends, to the last bit.

Along one axis, in integers. A Winograd tile computes 16 cells at once from 36, and the rounding of
each of them depends on all 36. So the region on which a pixel's gradient depends is wider than the
receptive field in exact arithmetic. All tiles lie on a grid that begins at the picture's corner, so
the same cells always depend on the same cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm

from dreamlayer.geometry import Span
from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import KernelGraph, KernelOperation
from dreamlayer.networks.program.convolution import Pair

TILE, FIELD = 4, 6  # cells along an axis that a Winograd tile writes and reads; winograd.h

# Kinds of which each cell adds up from the windows that contain it.
BACKWARD = {kernel.MAX_BACK, kernel.MEAN_BACK, kernel.CONVOLVE_BACK, kernel.DEPTHWISE_BACK}

ONE = Span(0, 1)  # stands for a map of which nothing is needed


def reads(operation: KernelOperation, axis: int, target: Span) -> Span:
    """Return the cells of the source that `target` needs, including those beyond the edges."""
    first, last = target.start, target.stop - 1
    stride, padding = operation.stride[axis], operation.padding[axis]
    if operation.kind == kernel.WINOGRAD:
        origin = operation.origin[axis]
        first, last = (
            ((cell - origin) // TILE) * TILE + origin - padding for cell in (first, last)
        )
        return Span(first, last + FIELD)
    if operation.kind in BACKWARD:
        begin = -((operation.kernel[axis] - 1 - first - padding) // stride)
        return Span(begin, (last + padding) // stride + 1)
    return Span(first * stride - padding, last * stride - padding + operation.kernel[axis])


def within(span: Span, length: int) -> Span:
    """Return the part of a span within 0 … length − 1, at least one cell."""
    first = min(max(span.start, 0), length - 1)
    return Span(first, max(first + 1, min(span.stop, length)))


@dataclass(frozen=True)
class KernelRegion:
    """The cells to compute along an axis.

    Attributes:
        values, grads: the cells of each root, forward and backward.
        blocks: the blocks of pixels (see KernelOperation.block) of the picture's gradient.
    """

    values: tuple[Span, ...]
    grads: tuple[Span, ...]
    blocks: Span


def kernel_region(
    graph: KernelGraph,
    axis: int,
    sizes: Sequence[int],
    outputs: Sequence[Pair] | None,
    inputs_kept: Pair | None,
) -> KernelRegion:
    """Return the region for some cells of the maps and the gradient at some pixels.

    Args:
        graph: the network.
        axis: 0 for rows, 1 for columns.
        sizes: the cells of each root along the axis.
        outputs: the cells of each map; None: only those that the gradient needs.
        inputs_kept: the pixels whose gradient is needed; None: no gradient.
    """
    blocks = None
    if inputs_kept is not None:
        last = graph.backward[-1]
        first, end = (
            (pixel + last.offset[axis]) // last.block
            for pixel in (inputs_kept[0], inputs_kept[1] - 1)
        )
        blocks = Span(first, end + 1)
    grads: list[Span | None] = [None] * len(sizes)
    for operation in reversed(graph.backward):
        target = blocks if operation.kind == kernel.GRADIENT else grads[operation.target.root]
        _widen(grads, operation, axis, target, sizes)
    # A ReLU's gradient needs the values that decide which cells pass.
    values = list(grads)
    for place, span in zip(graph.outputs, outputs or (), strict=outputs is not None):
        cells = Span(*span)
        if cells.length:
            values[place.root] = cells.hull(values[place.root] or cells)
    for operation in reversed(graph.forward):
        _widen(values, operation, axis, values[operation.target.root], sizes)
    return KernelRegion(_complete(values), _complete(grads), blocks or ONE)


def _widen(
    spans: list[Span | None],
    operation: KernelOperation,
    axis: int,
    target: Span | None,
    sizes: Sequence[int],
) -> None:
    if operation.source is not None and target is not None:
        root = operation.source.root
        cells = within(reads(operation, axis, target), sizes[root])
        spans[root] = cells.hull(spans[root] or cells)


def _complete(spans: Sequence[Span | None]) -> tuple[Span, ...]:
    return tuple(span or ONE for span in spans)


def grain(graph: KernelGraph) -> int:
    """Return the px on whose multiples crops must begin, so that they share one grid of tiles."""
    strides = [1]
    for operation in (*graph.forward, *graph.backward):
        if operation.kind == kernel.WINOGRAD:
            strides += [TILE * stride for stride in graph.strides[operation.target.root]]
        elif operation.kind == kernel.GRADIENT:
            strides.append(operation.block)
    strides += [stride for both in graph.strides for stride in both]
    return lcm(*strides)


def with_good_origins(graph: KernelGraph) -> KernelGraph:
    """Return the graph with its grids of tiles shifted so that regions become narrow.

    Where a convolution reads the output of another, tiles of the first begin where the second
    starts to read: each tile then widens the region at one end only.
    """
    forward = _aligned(list(graph.forward))
    return replace(graph, forward=forward, backward=_aligned(list(graph.backward)))


def _aligned(operations: list[KernelOperation]) -> tuple[KernelOperation, ...]:
    """Give each tiled operation the origin at which the readers of its output begin to read."""
    begins: dict[int, int] = {}  # {root: cell at which its readers begin}
    for number in range(len(operations) - 1, -1, -1):
        operation = operations[number]
        if operation.kind == kernel.WINOGRAD:
            begin = begins.get(operation.target.root, 0) % TILE
            operation = operations[number] = replace(operation, origin=(begin, begin))
            if operation.source is not None:
                begins.setdefault(operation.source.root, begin - operation.padding[0])
        elif operation.source is not None and operation.kind != kernel.GRADIENT:
            begin = begins.get(operation.target.root, 0)
            begins.setdefault(
                operation.source.root, reads(operation, 0, Span(begin, begin + 1)).start
            )
    return tuple(operations)
