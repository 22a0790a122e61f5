"""The plan for crops of one size: the kernel's steps, pieces of work, and memory layout."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import (
    COLOURS,
    GROUP,
    ChannelSlice,
    KernelGraph,
    KernelOperation,
)
from dreamlayer.networks.executors.kernel.regions import KernelRegion, kernel_region
from dreamlayer.networks.executors.kernel.strips import StripSchedule, schedule
from dreamlayer.networks.program.convolution import Box

FLOAT, WORD, LINE = 4, 2, 64  # bytes: of a number, of a group's marks, of a cache line


@dataclass(frozen=True)
class PackedWeights:
    """An operation's weights and bias in the kernel's layout."""

    weight: Tensor | None
    bias: Tensor | None


@dataclass(frozen=True)
class Scratch:
    """The layout of one scratch buffer with the maps of a pass.

    Attributes:
        offsets: the byte at which each root begins; None for roots stored elsewhere.
        size: bytes of all roots.
        workspace: bytes that each thread needs in addition.
    """

    offsets: tuple[int | None, ...]
    size: int
    workspace: int


@dataclass(frozen=True)
class DirectionPlan:
    """One direction of a pass: steps without addresses, and pieces of work in order."""

    steps: ctypes.Array[kernel.KernelStep]
    pieces: ctypes.Array[kernel.Piece]
    scratch: Scratch

    def some(self, first: int, count: int) -> ctypes.Array[kernel.Piece]:
        """Some of the pieces, which share their memory; fewer than `count` at the end."""
        count = min(count, len(self.pieces) - first)
        return (kernel.Piece * count).from_buffer(self.pieces, first * ctypes.sizeof(kernel.Piece))


@dataclass(frozen=True)
class KernelPlan:
    """The plan for passes over crops of one size.

    Attributes:
        sizes: (rows, columns) of each whole root.
        outputs, inputs_kept: the cells of each map, the pixels whose gradient is needed.
        marks, choices: {root: byte at which its marks or choices begin in the kept memory}.
        kept: bytes that a pass keeps for its gradient.
        forward, backward: the two directions; backward is None for a pass without gradient.
    """

    sizes: tuple[tuple[int, int], ...]
    outputs: tuple[Box, ...]
    inputs_kept: Box
    marks: dict[int, int]
    choices: dict[int, int]
    kept: int
    forward: DirectionPlan
    backward: DirectionPlan | None

    def scratch_size(self, threads: int) -> int:
        """Return the bytes of scratch memory that each direction needs at most."""
        directions = [self.forward, *([self.backward] if self.backward else [])]
        layouts = [direction.scratch for direction in directions]
        return max(layout.size + threads * layout.workspace for layout in layouts)


def plan(
    graph: KernelGraph,
    library: kernel.Library,
    weights: tuple[Sequence[PackedWeights], Sequence[PackedWeights]],
    size: tuple[int, int],
    outputs: tuple[Box, ...],
    inputs_kept: Box,
    gradient: bool,
) -> KernelPlan:
    """Plan passes over crops of a size (height, width) in pixels.

    Args:
        graph: the network.
        library: the kernel.
        weights: of the forward and the backward operations.
        size: of the crop.
        outputs: the cells of each map to compute.
        inputs_kept: the pixels whose gradient is computed.
        gradient: whether there will be a backward pass.
    """
    both = [graph.sizes(length, axis) for axis, length in enumerate(size)]
    regions = [
        kernel_region(graph, axis, both[axis], [box[axis] for box in outputs], inputs_kept[axis])
        for axis in (0, 1)
    ]
    sizes = tuple(zip(*both, strict=True))
    return _Planner(graph, library, sizes, regions, outputs, inputs_kept, gradient).plan(weights)


class _Planner:
    def __init__(
        self,
        graph: KernelGraph,
        library: kernel.Library,
        sizes: tuple[tuple[int, int], ...],
        regions: Sequence[KernelRegion],
        outputs: tuple[Box, ...],
        inputs_kept: Box,
        gradient: bool,
    ) -> None:
        self.graph, self.library, self.sizes = graph, library, sizes
        self.outputs, self.inputs_kept = outputs, inputs_kept
        self.rows, self.columns = regions
        self.gradient = gradient
        self.output_roots = {place.root for place in graph.outputs}
        self.marks: dict[int, int] = {}
        self.choices: dict[int, int] = {}

    def plan(self, weights: tuple[Sequence[PackedWeights], Sequence[PackedWeights]]) -> KernelPlan:
        kept = self._lay_out_kept() if self.gradient else 0
        forward = self._direction(self.graph.forward, weights[0], values=True)
        backward = None
        if self.gradient:
            backward = self._direction(self.graph.backward, weights[1], values=False)
        return KernelPlan(
            self.sizes, self.outputs, self.inputs_kept,
            self.marks, self.choices, kept, forward, backward,
        )  # fmt: skip

    def _lay_out_kept(self) -> int:
        """Lay out the memory kept for the backward pass; returns its size in bytes."""
        size = 0
        for root in self.graph.marked:
            self.marks[root] = size
            size += _lines(self._cells(root) * self.graph.depths[root] // GROUP * WORD)
        for operation in self.graph.forward:
            if operation.chosen is not None:
                self.choices[operation.chosen] = size
                size += _lines(self._cells(operation.chosen) * self.graph.depths[operation.chosen])
        return size

    def _cells(self, root: int) -> int:
        (top, bottom), (left, right) = self.rows.values[root], self.columns.values[root]
        return (bottom - top) * (right - left)

    def _direction(
        self, operations: Sequence[KernelOperation], weights: Sequence[PackedWeights], values: bool
    ) -> DirectionPlan:
        rows = self.rows.values if values else self.rows.grads
        columns = self.columns.values if values else self.columns.grads
        strides = [rows for rows, _ in self.graph.strides]
        work = schedule(operations, strides, rows, columns, self.rows.blocks)
        whole = self.output_roots if values else set()
        steps = (kernel.KernelStep * len(operations))()
        for step, operation, own in zip(steps, operations, weights, strict=True):
            self._describe(step, operation, own, work, values)
        for root in whole:
            for step, operation in zip(steps, operations, strict=True):
                for place, described in (
                    (operation.target, step.out),
                    (operation.source, step.in_),
                ):
                    if place is not None and place.root == root:
                        self._make_whole(described, root)
        pieces = (kernel.Piece * len(work.pieces))(*(kernel.Piece(*piece) for piece in work.pieces))
        return DirectionPlan(steps, pieces, self._scratch(work, columns, whole, steps))

    def _scratch(
        self,
        work: StripSchedule,
        columns: Sequence[tuple[int, int]],
        whole: set[int],
        steps: ctypes.Array[kernel.KernelStep],
    ) -> Scratch:
        size = 0
        offsets: list[int | None] = []
        for root, held in enumerate(work.held):
            if root in whole or not held:
                offsets.append(None)
                continue
            offsets.append(size)
            left, right = columns[root]
            size += _lines(held * (right - left) * self.graph.depths[root] * FLOAT)
        return Scratch(tuple(offsets), size, _lines(self.library.workspace(steps) * FLOAT))

    def _describe(
        self,
        step: kernel.KernelStep,
        operation: KernelOperation,
        weights: PackedWeights,
        work: StripSchedule,
        values: bool,
    ) -> None:
        step.kind, step.finish = (
            operation.kind,
            operation.finish if self.gradient else operation.finish & _ALONE,
        )
        step.kernel[:], step.pace[:], step.padding[:] = (
            operation.kernel,
            operation.stride,
            operation.padding,
        )
        step.origin[:] = operation.origin
        step.block, step.count_padding = operation.block, operation.count_padding
        if weights.weight is not None:
            step.weights = weights.weight.data_ptr()
        if weights.bias is not None:
            step.bias = weights.bias.data_ptr()
        step.most = operation.most
        if operation.scale:
            step.scale[:] = operation.scale
            step.shift[:] = operation.shift or (0.0,) * COLOURS
        if operation.source is not None:
            self._map(step.in_, operation.source, work, values)
        elif operation.seed is not None:
            self._map(step.in_, operation.target, work, values)
            self._make_whole(step.in_, operation.target.root)
            step.in_.stride, step.in_.first = operation.target.depth, 0
        if operation.kind == kernel.GRADIENT:
            self._blocks(step, operation)
            return
        self._map(step.out, operation.target, work, values)
        root = operation.target.root
        if root in self.marks:
            self._marks(step.marks, root, operation.target.first // GROUP, GROUP)
        if operation.chosen in self.choices:
            self._marks(step.choices, operation.chosen, 0, 1)

    def _map(
        self, described: kernel.MapSlice, place: ChannelSlice, work: StripSchedule, values: bool
    ) -> None:
        regions = self.rows, self.columns
        rows, columns = (region.values if values else region.grads for region in regions)
        described.height, described.width = self.sizes[place.root]
        described.row0, described.rows = rows[place.root][0], work.held[place.root]
        described.begin = described.col0 = columns[place.root][0]
        described.pitch = described.cols = columns[place.root][1] - described.col0
        described.stride, described.first = self.graph.depths[place.root], place.first
        described.depth = place.depth

    def _make_whole(self, described: kernel.MapSlice, root: int) -> None:
        """Describe a map that has memory for all its cells, not only for the region."""
        described.rows, described.pitch = self.sizes[root]
        described.row0 = described.begin = 0

    def _marks(self, described: kernel.Marks, root: int, first: int, each: int) -> None:
        described.row0, described.col0 = self.rows.values[root][0], self.columns.values[root][0]
        described.cols = self.columns.values[root][1] - described.col0
        described.stride, described.first = self.graph.depths[root] // each, first

    def _blocks(self, step: kernel.KernelStep, operation: KernelOperation) -> None:
        """Describe the output of GRADIENT: blocks of pixels, written to the planes directly."""
        rows, columns = self.inputs_kept
        step.above, step.left = operation.offset[0] + rows[0], operation.offset[1] + columns[0]
        step.height, step.width = rows[1] - rows[0], columns[1] - columns[0]
        step.out.depth = operation.target.depth
        step.out.col0 = self.columns.blocks[0]
        step.out.cols = self.columns.blocks[1] - self.columns.blocks[0]


_ALONE = ~(kernel.MARK | kernel.CHOOSE)  # a pass without gradient records nothing


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE
