"""What the kernel is told for crops of one size: steps, pieces of work, and where memory lies."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import (
    COLOURS,
    GROUP,
    Graph,
    Operation,
    Place,
)
from dreamlayer.networks.executors.kernel.regions import Cone, cone
from dreamlayer.networks.executors.kernel.strips import Strips, strips
from dreamlayer.networks.program.convolution import Box

FLOAT, WORD, LINE = 4, 2, 64  # bytes: of a number, of a group's marks, of a line of the cache


@dataclass(frozen=True)
class Packed:
    """An operation's weights and bias."""

    weight: Tensor | None
    bias: Tensor | None


@dataclass(frozen=True)
class Room:
    """Where the maps of a pass lie in one piece of memory.

    Attributes:
        places: the byte at which each root begins, None for those that lie elsewhere.
        size: bytes of all that lie here.
        workspace: bytes that each thread needs besides.
    """

    places: tuple[int | None, ...]
    size: int
    workspace: int


@dataclass(frozen=True)
class Direction:
    """One direction of a pass: steps without addresses, and the work in order."""

    steps: ctypes.Array[kernel.Step]
    pieces: ctypes.Array[kernel.Piece]
    room: Room


@dataclass(frozen=True)
class Plan:
    """All that is known about passes over crops of one size before there is a crop.

    Attributes:
        sizes: (rows, columns) of each root as a whole.
        outputs, inputs_kept: the cells of each map, the pixels whose gradient is needed.
        marks, choices: the byte at which those of each root begin in the memory that a pass keeps.
        kept: bytes of that.
        forward, backward: the two directions; None for a pass from which nothing is pulled back.
    """

    sizes: tuple[tuple[int, int], ...]
    outputs: tuple[Box, ...]
    inputs_kept: Box
    marks: dict[int, int]
    choices: dict[int, int]
    kept: int
    forward: Direction
    backward: Direction | None

    def room(self, threads: int) -> int:
        """Return the bytes that either direction needs when so many threads share it."""
        both = [one.room for one in (self.forward, self.backward) if one is not None]
        return max(room.size + threads * room.workspace for room in both)


def plan(
    graph: Graph,
    library: kernel.Library,
    weights: tuple[Sequence[Packed], Sequence[Packed]],
    size: tuple[int, int],
    outputs: tuple[Box, ...],
    inputs_kept: Box,
    gradient: bool,
) -> Plan:
    """Plan passes over crops of a size (height, width) in pixels.

    Args:
        graph: the network.
        library: the kernel.
        weights: of its operations, forward and backward.
        size: the crop's.
        outputs: the cells of each map.
        inputs_kept: the pixels whose gradient is.
        gradient: whether one is.
    """
    both = [graph.sizes(length, axis) for axis, length in enumerate(size)]
    cones = [
        cone(graph, axis, both[axis], [box[axis] for box in outputs], inputs_kept[axis])
        for axis in (0, 1)
    ]
    sizes = tuple(zip(*both, strict=True))
    return _Planner(graph, library, sizes, cones, outputs, inputs_kept, gradient).plan(weights)


class _Planner:
    def __init__(
        self,
        graph: Graph,
        library: kernel.Library,
        sizes: tuple[tuple[int, int], ...],
        cones: Sequence[Cone],
        outputs: tuple[Box, ...],
        inputs_kept: Box,
        gradient: bool,
    ) -> None:
        self.graph, self.library, self.sizes = graph, library, sizes
        self.outputs, self.inputs_kept = outputs, inputs_kept
        self.rows, self.columns = cones
        self.gradient = gradient
        self.output_roots = {place.root for place in graph.outputs}
        self.marks: dict[int, int] = {}
        self.choices: dict[int, int] = {}

    def plan(self, weights: tuple[Sequence[Packed], Sequence[Packed]]) -> Plan:
        kept = self._keep() if self.gradient else 0
        forward = self._direction(self.graph.forward, weights[0], values=True)
        backward = None
        if self.gradient:
            backward = self._direction(self.graph.backward, weights[1], values=False)
        return Plan(
            self.sizes, self.outputs, self.inputs_kept,
            self.marks, self.choices, kept, forward, backward,
        )  # fmt: skip

    def _keep(self) -> int:
        """Lay out what a pass keeps for the way back; returns its size in bytes."""
        size = 0
        for root in self.graph.marked:
            self.marks[root] = size
            size += _lines(self._cells(root) * self.graph.depths[root] // GROUP * WORD)
        for one in self.graph.forward:
            if one.chosen is not None:
                self.choices[one.chosen] = size
                size += _lines(self._cells(one.chosen) * self.graph.depths[one.chosen])
        return size

    def _cells(self, root: int) -> int:
        (top, bottom), (left, right) = self.rows.values[root], self.columns.values[root]
        return (bottom - top) * (right - left)

    def _direction(
        self, operations: Sequence[Operation], weights: Sequence[Packed], values: bool
    ) -> Direction:
        rows = self.rows.values if values else self.rows.grads
        columns = self.columns.values if values else self.columns.grads
        paces = [rows for rows, _ in self.graph.paces]
        work = strips(operations, paces, rows, columns, self.rows.blocks)
        whole = self.output_roots if values else set()
        steps = (kernel.Step * len(operations))()
        for step, one, own in zip(steps, operations, weights, strict=True):
            self._describe(step, one, own, work, values)
        for root in whole:
            for step, one in zip(steps, operations, strict=True):
                for place, found in ((one.target, step.out), (one.source, step.in_)):
                    if place is not None and place.root == root:
                        self._make_whole(found, root)
        pieces = (kernel.Piece * len(work.pieces))(*(kernel.Piece(*one) for one in work.pieces))
        return Direction(steps, pieces, self._room(work, columns, whole, steps))

    def _room(
        self,
        work: Strips,
        columns: Sequence[tuple[int, int]],
        whole: set[int],
        steps: ctypes.Array[kernel.Step],
    ) -> Room:
        size = 0
        places: list[int | None] = []
        for root, held in enumerate(work.held):
            if root in whole or not held:
                places.append(None)
                continue
            places.append(size)
            left, right = columns[root]
            size += _lines(held * (right - left) * self.graph.depths[root] * FLOAT)
        return Room(tuple(places), size, _lines(self.library.workspace(steps) * FLOAT))

    def _describe(
        self, step: kernel.Step, one: Operation, weights: Packed, work: Strips, values: bool
    ) -> None:
        step.kind, step.finish = one.kind, one.finish if self.gradient else one.finish & _ALONE
        step.kernel[:], step.pace[:], step.padding[:] = one.kernel, one.pace, one.padding
        step.origin[:] = one.origin
        step.block, step.count_padding = one.block, one.count_padding
        if weights.weight is not None:
            step.weights = weights.weight.data_ptr()
        if weights.bias is not None:
            step.bias = weights.bias.data_ptr()
        if one.scale:
            step.scale[:] = one.scale
            step.shift[:] = one.shift or (0.0,) * COLOURS
        if one.source is not None:
            self._map(step.in_, one.source, work, values)
        elif one.seed is not None:
            self._map(step.in_, one.target, work, values)
            self._make_whole(step.in_, one.target.root)
            step.in_.stride, step.in_.first = one.target.depth, 0
        if one.kind == kernel.GRADIENT:
            self._blocks(step, one)
            return
        self._map(step.out, one.target, work, values)
        root = one.target.root
        if root in self.marks:
            self._marks(step.marks, root, one.target.first // GROUP, GROUP)
        if one.chosen in self.choices:
            self._marks(step.choices, one.chosen, 0, 1)

    def _map(self, found: kernel.Map, place: Place, work: Strips, values: bool) -> None:
        cones = self.rows, self.columns
        rows, columns = (one.values if values else one.grads for one in cones)
        found.height, found.width = self.sizes[place.root]
        found.row0, found.rows = rows[place.root][0], work.held[place.root]
        found.begin = found.col0 = columns[place.root][0]
        found.pitch = found.cols = columns[place.root][1] - found.col0
        found.stride, found.first = self.graph.depths[place.root], place.first
        found.depth = place.depth

    def _make_whole(self, found: kernel.Map, root: int) -> None:
        """Let a map lie in memory with all its cells, whatever part of them is needed."""
        found.rows, found.pitch = self.sizes[root]
        found.row0 = found.begin = 0

    def _marks(self, found: kernel.Marks, root: int, first: int, each: int) -> None:
        found.row0, found.col0 = self.rows.values[root][0], self.columns.values[root][0]
        found.cols = self.columns.values[root][1] - found.col0
        found.stride, found.first = self.graph.depths[root] // each, first

    def _blocks(self, step: kernel.Step, one: Operation) -> None:
        """The blocks of pixels that GRADIENT gives, which lie in no root; it puts down some."""
        rows, columns = self.inputs_kept
        step.above, step.left = one.offset[0] + rows[0], one.offset[1] + columns[0]
        step.height, step.width = rows[1] - rows[0], columns[1] - columns[0]
        step.out.depth = one.target.depth
        step.out.col0 = self.columns.blocks[0]
        step.out.cols = self.columns.blocks[1] - self.columns.blocks[0]


_ALONE = ~(kernel.MARK | kernel.CHOOSE)  # what is put down where nothing is pulled back


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE
