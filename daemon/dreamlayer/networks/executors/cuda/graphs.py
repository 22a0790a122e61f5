"""Work on a card that is recorded once as CUDA graphs, and replayed without Python.

A recording may fail in the middle: out of memory, a library that does something that can't be
recorded. Then all graphs and their pool of memory are given up, and work goes on unrecorded. The
pool above all: torch accepts no pool again whose last graph is gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

import torch

from dreamlayer.runtime import interruption
from dreamlayer.runtime.devices import errors, memory

log = logging.getLogger(__name__)

T = TypeVar("T")
GRAPHS = 24  # pieces of work whose graphs are kept; each has memory of its own
IN_USE = 2 * GRAPHS  # one that was run among the last so many is not dropped for another
OUT_OF_MEMORY_MOST = 3  # times; then nothing more is recorded


class GraphRecorder(Protocol):
    """Records GPU launches and replays them."""

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Record the launches of `work`; returns a function to replay them, and work's result."""

    def clear(self) -> None:
        """Forget the memory that recordings share; none of them may be replayed any more."""

    def finish(self) -> None:
        """Wait until all work is done."""


class CudaRecorder:
    """Records CUDA graphs. All share one memory pool: no two may be replayed at once."""

    def __init__(self) -> None:
        self._pool: Any = None

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """See GraphRecorder.record."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            result = work()
        self._pool = graph.pool()
        return graph.replay, result

    def clear(self) -> None:
        """See GraphRecorder.clear."""
        self._pool = None

    def finish(self) -> None:
        """See GraphRecorder.finish."""
        torch.cuda.synchronize()


class RecordedWork:
    """Recordings by a key, which says all that a piece of work depends on but for numbers.

    Attributes:
        recorded: how often something was recorded.
        seconds_per_pixel: of one graph, of the largest piece of work that was replayed; None:
            nothing was, yet.
    """

    def __init__(self, recorder: GraphRecorder) -> None:
        self._recorder = recorder
        self._kept: dict[Hashable, Any] = {}  # the most recently used is last
        self._used: dict[Hashable, int] = {}  # by a count of all work
        self._seen: set[Hashable] = set()
        self._count = self._failures = 0
        self._off = False
        self.recorded = 0
        self.seconds_per_pixel: float | None = None
        self._timed_area = 0

    def get(self, key: Hashable, make: Callable[[GraphRecorder], T]) -> T | None:
        """Return what `make` recorded for a key; None: do this piece of work unrecorded.

        That is so the first time, when libraries choose their algorithms; where recording failed;
        and where so many other recordings are in use that this one would replace one of them.
        """
        self._count += 1
        if self._off:
            return None
        if key in self._kept:
            self._kept[key] = self._kept.pop(key)
        elif key not in self._seen:
            self._seen.add(key)
            return None
        elif not self._has_room() or not self._record(key, make):
            return None
        self._used[key] = self._count
        made: T = self._kept[key]
        return made

    def replay(self, graph: Callable[[], None], area: int) -> None:
        """Replay a graph over `area` pixels; the first of each larger area is timed."""
        if area <= self._timed_area:
            graph()
            return
        self._recorder.finish()
        began = time.perf_counter()
        graph()
        self._recorder.finish()
        self.seconds_per_pixel = (time.perf_counter() - began) / area
        self._timed_area = area

    def clear(self) -> None:
        """Drop all recordings and their memory."""
        self._kept.clear()
        self._used.clear()
        self._seen.clear()
        self._recorder.clear()

    def drop(self, chosen: Callable[[Hashable], bool]) -> None:
        """Drop the recordings whose keys are chosen."""
        for key in [key for key in self._kept if chosen(key)]:
            del self._kept[key], self._used[key]
        self._seen = {key for key in self._seen if not chosen(key)}
        if not self._kept:
            self._recorder.clear()

    def _has_room(self) -> bool:
        """Drop the least recently used recording where there are too many, unless it is in use."""
        if len(self._kept) < GRAPHS:
            return True
        oldest = next(iter(self._kept))
        if self._used[oldest] > self._count - IN_USE:
            return False
        del self._kept[oldest], self._used[oldest]
        return True

    def _record(self, key: Hashable, make: Callable[[GraphRecorder], Any]) -> bool:
        """Record; on any error give up all recordings."""
        try:
            self._kept[key] = make(self._recorder)
        except interruption.Interrupted:
            self.clear()
            raise
        except Exception as error:
            self._give_up(error)
        else:
            self.recorded += 1
            return True
        memory.free_memory()  # after the handler: its traceback holds what was being recorded
        return False

    def _give_up(self, error: Exception) -> None:
        self.clear()
        self._failures += 1
        full = errors.is_out_of_memory(error)
        self._off = not full or self._failures >= OUT_OF_MEMORY_MOST
        log.warning("work on the graphics card goes on unrecorded: %s", error)
