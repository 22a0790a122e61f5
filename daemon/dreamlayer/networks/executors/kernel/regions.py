"""Which cells of which maps it takes to know the gradient at some pixels to the last bit.

Along one axis, in integers. A Winograd tile computes 16 cells at once from 36, so that each of its
cells' rounding depends on all of what the tile reads: the cone of what a pixel's gradient depends
on is wider than what convolutions see in exact numbers. All tiles lie on a grid that begins where
the picture does, so the same cells always depend on the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import Graph, Operation

TILE, FIELD = 4, 6  # winograd.h

Span = tuple[int, int]  # the cells from the first to the second − 1


def reads(one: Operation, axis: int, wanted: Span) -> Span:
    """Return what an operation reads of its source, beyond the edges too, to give `wanted`."""
    first, last = wanted[0], wanted[1] - 1
    kernel_, pace, padding = one.kernel[axis], one.pace[axis], one.padding[axis]
    if one.kind == kernel.WINOGRAD:
        origin = one.origin[axis]
        first, last = (((at - origin) // TILE) * TILE + origin - padding for at in (first, last))
        return first, last + FIELD
    if one.kind in {kernel.MAX_BACK, kernel.MEAN_BACK}:
        return -((kernel_ - 1 - first - padding) // pace), (last + padding) // pace + 1
    return first * pace - padding, last * pace - padding + kernel_


def within(span: Span, length: int) -> Span:
    """Return the part of a span that lies in 0 … length − 1, at least one cell."""
    first = min(max(span[0], 0), length - 1)
    return first, max(first + 1, min(span[1], length))


def hull(one: Span | None, other: Span) -> Span:
    """Return the smallest span that holds both."""
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))


@dataclass(frozen=True)
class Cone:
    """What has to be computed along an axis.

    Attributes:
        values, grads: the cells of each root.
        blocks: of pixels (see Operation.block), for the picture's grad.
    """

    values: tuple[Span, ...]
    grads: tuple[Span, ...]
    blocks: Span


def cone(
    graph: Graph,
    axis: int,
    sizes: Sequence[int],
    wanted: Sequence[Span] | None,
    inputs_kept: Span | None,
) -> Cone:
    """Return what it takes to know cells of the maps, and the gradient at some pixels.

    Args:
        graph: the network.
        axis: 0 for rows, 1 for columns.
        sizes: the cells of each root along the axis.
        wanted: the cells of each map; None for those alone from which the gradient comes.
        inputs_kept: the pixels; None for no gradient.
    """
    blocks = None
    if inputs_kept is not None:
        last = graph.backward[-1]
        first, end = (
            (at + last.offset[axis]) // last.block for at in (inputs_kept[0], inputs_kept[1] - 1)
        )
        blocks = (first, end + 1)
    grads: list[Span | None] = [None] * len(sizes)
    for one in reversed(graph.backward):
        target = blocks if one.kind == kernel.GRADIENT else grads[one.target.root]
        _widen(grads, one, axis, target, sizes)
    # Where grads are wanted, so is what gates them.
    values = list(grads)
    for place, span in zip(graph.outputs, wanted or (), strict=wanted is not None):
        if span[0] < span[1]:
            values[place.root] = hull(values[place.root], span)
    for one in reversed(graph.forward):
        _widen(values, one, axis, values[one.target.root], sizes)
    return Cone(_complete(values), _complete(grads), blocks or (0, 1))


def _widen(
    spans: list[Span | None], one: Operation, axis: int, target: Span | None, sizes: Sequence[int]
) -> None:
    if one.source is not None and target is not None:
        root = one.source.root
        spans[root] = hull(spans[root], within(reads(one, axis, target), sizes[root]))


def _complete(spans: Sequence[Span | None]) -> tuple[Span, ...]:
    return tuple(span or (0, 1) for span in spans)


def grain(graph: Graph) -> int:
    """Return the pixels on whose multiples a crop has to begin, for all tiles to lie alike."""
    paces = [1]
    for one in (*graph.forward, *graph.backward):
        if one.kind == kernel.WINOGRAD:
            paces += [TILE * pace for pace in graph.paces[one.target.root]]
        elif one.kind == kernel.GRADIENT:
            paces.append(one.block)
    paces += [pace for both in graph.paces for pace in both]
    return lcm(*paces)


def with_good_origins(graph: Graph) -> Graph:
    """Return the graph with its grids of tiles moved so that cones become narrow.

    Where a convolution reads another's cells, the tiles of one had better begin where the fields
    of the other do: each tile then adds cells at one end only.
    """
    forward = _aligned(list(graph.forward))
    return replace(graph, forward=forward, backward=_aligned(list(graph.backward)))


def _aligned(operations: list[Operation]) -> tuple[Operation, ...]:
    """Give each tiled operation the origin that what reads its cells begins its fields with."""
    begins: dict[int, int] = {}  # of the fields of what reads a root, in cells
    for number in range(len(operations) - 1, -1, -1):
        one = operations[number]
        if one.kind == kernel.WINOGRAD:
            begin = begins.get(one.target.root, 0) % TILE
            one = operations[number] = replace(one, origin=(begin, begin))
            if one.source is not None:
                begins.setdefault(one.source.root, begin - one.padding[0])
        elif one.source is not None and one.kind != kernel.GRADIENT:
            begin = begins.get(one.target.root, 0)
            begins.setdefault(one.source.root, reads(one, 0, (begin, begin + 1))[0])
    return tuple(operations)
