"""In which order strips of rows pass through a network, and how few rows must be held at a time.

No map is computed as a whole: some rows of the picture go through all operations, then the next.
A map's rows are let go as soon as nothing needs them any more. What this takes is found by doing
it, with row numbers instead of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.operations import Operation
from dreamlayer.networks.executors.kernel.regions import FIELD, TILE, Span, reads

LEAST_ROWS = 8  # shared out among threads
LEAST_TILES = 192  # weights are read once for as many, by each of two threads for half of them
STRIP = 16  # px


@dataclass(frozen=True)
class Strips:
    """The work of a pass.

    Attributes:
        pieces: (operation, first row, last row + 1), in order.
        held: rows of each root that must be held at a time; 0 for those that nothing is written to.
    """

    pieces: tuple[tuple[int, int, int], ...]
    held: tuple[int, ...]


@dataclass
class _Worker:
    """An operation, and the first row that it has not given yet."""

    one: Operation
    rows: Span
    columns: Span
    pace: int
    next: int

    @property
    def finished(self) -> bool:
        return self.next >= self.rows[1]

    @property
    def lowest(self) -> int:
        """The first row that it will still read."""
        return reads(self.one, 0, (self.next, self.next + 1))[0]

    def possible(self, available: int) -> int:
        """How far it gets with the rows of its source before `available`."""
        one = self.one
        kernel_, pace, padding = one.kernel[0], one.pace[0], one.padding[0]
        if one.kind == kernel.WINOGRAD:
            return self._tiles_end(available + padding - (FIELD - TILE))
        if one.kind in {kernel.MAX_BACK, kernel.MEAN_BACK}:
            return available * pace - padding
        return (available + padding - kernel_) // pace + 1

    def aligned(self, row: int) -> int:
        """Where the last whole tile before a row ends; the window's last tile need not be whole."""
        return row if row >= self.rows[1] else self._tiles_end(row)

    def _tiles_end(self, row: int) -> int:
        if self.one.kind != kernel.WINOGRAD:
            return row
        origin = self.one.origin[0]
        return (row - origin) // TILE * TILE + origin

    @property
    def least(self) -> int:
        """The rows that are worth a start: enough for all threads, and tiles enough."""
        if self.one.kind != kernel.WINOGRAD:
            return LEAST_ROWS
        width = -(-(self.columns[1] - self.columns[0]) // TILE)
        return -(-LEAST_TILES // width) * TILE

    def bounded(self, row: int) -> int:
        """How far it goes at a time, where it can go on to a row."""
        if row < self.rows[1] and row - self.next < self.least:
            return self.next
        most = self.next + max(STRIP // self.pace, self.least)
        return row if row <= most else self.aligned(most)


def strips(
    operations: Sequence[Operation],
    paces: Sequence[int],
    rows: Sequence[Span],
    columns: Sequence[Span],
    blocks: Span,
) -> Strips:
    """Return the order of the work.

    Args:
        operations: in the order of the data.
        paces: pixels from one row of each root to the next.
        rows, columns: what is wanted of each root.
        blocks: the rows wanted of GRADIENT.
    """
    workers = []
    for one in operations:
        root = one.target.root
        span = blocks if one.kind == kernel.GRADIENT else rows[root]
        workers.append(_Worker(one, span, columns[root], paces[root], span[0]))
    return _Simulation(workers, rows).run()


class _Simulation:
    def __init__(self, workers: list[_Worker], rows: Sequence[Span]) -> None:
        self.workers = workers
        self.rows = rows
        self.writers: dict[int, list[_Worker]] = {}
        self.readers: dict[int, list[_Worker]] = {}
        for worker in workers:
            if worker.one.kind != kernel.GRADIENT:
                self.writers.setdefault(worker.one.target.root, []).append(worker)
            if worker.one.source is not None:
                self.readers.setdefault(worker.one.source.root, []).append(worker)
        self.held = [0] * len(rows)

    def run(self) -> Strips:
        pieces = []
        progress = min(
            worker.rows[0] * worker.pace for worker in self.workers if worker.one.source is None
        )
        while not all(worker.finished for worker in self.workers):
            progress += STRIP
            for number, worker in enumerate(self.workers):
                row = self._reach(worker, progress)
                if row > worker.next:
                    pieces.append((number, worker.next, row))
                    self._advance(worker, row)
        return Strips(tuple(pieces), tuple(self.held))

    def _reach(self, worker: _Worker, progress: int) -> int:
        """The row up to which a worker can go now."""
        end = worker.rows[1]
        source = worker.one.source
        if source is None:
            row = min(end, -(-progress // worker.pace))
        else:
            front = min(writer.next for writer in self.writers[source.root])
            row = end if front >= self.rows[source.root][1] else min(end, worker.possible(front))
        if worker.one.kind != kernel.GRADIENT:
            row = min(row, self._before(worker))
        return worker.bounded(worker.aligned(row))

    def _before(self, worker: _Worker) -> int:
        """How far the one is that writes to the same root in front of this."""
        writers = self.writers[worker.one.target.root]
        # By identity: two workers may be equal.
        place = next(i for i, writer in enumerate(writers) if writer is worker)
        return writers[place - 1].next if place else worker.rows[1]

    def _advance(self, worker: _Worker, row: int) -> None:
        if worker.one.kind != kernel.GRADIENT:
            root = worker.one.target.root
            others = [w.next for w in self.writers[root] if w is not worker]
            lowest = [r.lowest for r in self.readers.get(root, []) if not r.finished]
            keep = max(self.rows[root][0], min([worker.next, *others, *lowest]))
            self.held[root] = max(self.held[root], row - keep)
        worker.next = row
