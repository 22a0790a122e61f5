"""The order in which strips of rows pass through a network, and the rows each map must hold.

No map is computed as a whole: a strip of the picture goes through all operations, then the next
strip. Rows of a map are freed as soon as no operation needs them. The order and the memory are
found by simulating the pass with row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dreamlayer.geometry import Span
from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import KernelOperation
from dreamlayer.networks.executors.kernel.regions import BACKWARD, FIELD, TILE, reads

LEAST_ROWS = 8  # of a piece, so that all threads have work
LEAST_TILES = 192  # of a piece: weights are read once for all (two threads: once for each half)
STRIP = 16  # px of the picture


@dataclass(frozen=True)
class StripSchedule:
    """The work of a pass.

    Attributes:
        pieces: (operation, first row, last row + 1), in order.
        held: rows of each root that must be in memory at a time; 0 for roots that are not written.
    """

    pieces: tuple[tuple[int, int, int], ...]
    held: tuple[int, ...]


@dataclass
class _OperationProgress:
    """An operation and its first row that is not computed yet."""

    operation: KernelOperation
    rows: Span
    columns: Span
    stride: int
    next: int

    @property
    def finished(self) -> bool:
        return self.next >= self.rows.stop

    @property
    def lowest(self) -> int:
        """The first row of its source that it still has to read."""
        return reads(self.operation, 0, Span(self.next, self.next + 1)).start

    def possible(self, available: int) -> int:
        """The end of the rows it can compute from the source's rows before `available`."""
        operation = self.operation
        stride, padding = operation.stride[0], operation.padding[0]
        if operation.kind == kernel.WINOGRAD:
            return self._tiles_end(available + padding - (FIELD - TILE))
        if operation.kind in BACKWARD:
            return available * stride - padding
        return (available + padding - operation.kernel[0]) // stride + 1

    def aligned(self, row: int) -> int:
        """The end of the last whole tile before a row; the last tile of all need not be whole."""
        return row if row >= self.rows.stop else self._tiles_end(row)

    def _tiles_end(self, row: int) -> int:
        if self.operation.kind != kernel.WINOGRAD:
            return row
        origin = self.operation.origin[0]
        return (row - origin) // TILE * TILE + origin

    @property
    def least(self) -> int:
        """The fewest rows of a piece: enough rows for all threads, and enough tiles."""
        if self.operation.kind != kernel.WINOGRAD:
            return LEAST_ROWS
        width = -(-self.columns.length // TILE)
        return -(-LEAST_TILES // width) * TILE

    def bounded(self, row: int) -> int:
        """The end of the next piece, if rows before `row` can be computed; `next` if too few."""
        if row < self.rows.stop and row - self.next < self.least:
            return self.next
        most = self.next + max(STRIP // self.stride, self.least)
        return row if row <= most else self.aligned(most)


def schedule(
    operations: Sequence[KernelOperation],
    strides: Sequence[int],
    rows: Sequence[Span],
    columns: Sequence[Span],
    blocks: Span,
) -> StripSchedule:
    """Return the order of the work of a pass.

    Args:
        operations: in the order of the data flow.
        strides: px from one row of each root to the next.
        rows, columns: the region of each root.
        blocks: the rows of blocks that GRADIENT computes.
    """
    queue = []
    for operation in operations:
        root = operation.target.root
        span = blocks if operation.kind == kernel.GRADIENT else rows[root]
        queue.append(_OperationProgress(operation, span, columns[root], strides[root], span.start))
    return _Simulation(queue, rows).run()


class _Simulation:
    def __init__(self, queue: list[_OperationProgress], rows: Sequence[Span]) -> None:
        self.queue = queue
        self.rows = rows
        self.writers: dict[int, list[_OperationProgress]] = {}
        self.readers: dict[int, list[_OperationProgress]] = {}
        for item in queue:
            if item.operation.kind != kernel.GRADIENT:
                self.writers.setdefault(item.operation.target.root, []).append(item)
            if item.operation.source is not None:
                self.readers.setdefault(item.operation.source.root, []).append(item)
        self.held = [0] * len(rows)

    def run(self) -> StripSchedule:
        pieces = []
        progress = min(
            item.rows.start * item.stride for item in self.queue if item.operation.source is None
        )
        while not all(item.finished for item in self.queue):
            progress += STRIP
            for number, item in enumerate(self.queue):
                row = self._reach(item, progress)
                if row > item.next:
                    pieces.append((number, item.next, row))
                    self._advance(item, row)
        return StripSchedule(tuple(pieces), tuple(self.held))

    def _reach(self, item: _OperationProgress, progress: int) -> int:
        """The row up to which an operation can be computed now."""
        end = item.rows.stop
        source = item.operation.source
        if source is None:
            row = min(end, -(-progress // item.stride))
        else:
            front = min(writer.next for writer in self.writers[source.root])
            row = end if front >= self.rows[source.root].stop else min(end, item.possible(front))
        if item.operation.kind != kernel.GRADIENT:
            row = min(row, self._before(item))
        return item.bounded(item.aligned(row))

    def _before(self, item: _OperationProgress) -> int:
        """The end of the rows written by the previous writer of the same root."""
        writers = self.writers[item.operation.target.root]
        # By identity: two of them may be equal.
        position = next(i for i, writer in enumerate(writers) if writer is item)
        return writers[position - 1].next if position else item.rows.stop

    def _advance(self, item: _OperationProgress, row: int) -> None:
        if item.operation.kind != kernel.GRADIENT:
            root = item.operation.target.root
            others = [writer.next for writer in self.writers[root] if writer is not item]
            lowest = [reader.lowest for reader in self.readers.get(root, []) if not reader.finished]
            first_kept = max(self.rows[root].start, min([item.next, *others, *lowest]))
            self.held[root] = max(self.held[root], row - first_kept)
        item.next = row
