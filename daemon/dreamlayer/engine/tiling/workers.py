"""Blocks are computed side by side, all together in no more threads than there are cores.

A few threads share a block: one large block has less around it than two of half its size. Where
there are more cores than that, blocks are computed side by side. What is computed does not depend
on who computes it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

T = TypeVar("T")


class Workers:
    """Threads that compute blocks. Their number can be changed; that takes effect with the next."""

    def __init__(self, count: int = 0) -> None:
        """0: one for each core that this process may use."""
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self.count = 0
        self.limit(count)

    def limit(self, count: int) -> None:
        """Let so many threads work; 0: one for each core that this process may use."""
        wanted = min(count, cores()) if count else cores()
        with self._lock:
            if wanted != self.count and self._pool:
                self._pool.shutdown(wait=False)  # what is in work there is finished
                self._pool = None
            self.count = wanted

    def run(self, tasks: Iterable[Callable[[], T]], each: int = 1) -> Iterator[T]:
        """Run tasks, each of which takes `each` threads; yields their results as they come.

        No more are begun than there are threads: closing the generator waits only for those in
        work. The first error is raised when they are done.
        """
        left, pending = iter(tasks), set[Future[T]]()
        try:
            while True:
                most = max(1, self.count // each)
                while len(pending) < most and (task := next(left, None)) is not None:
                    pending.add(self._begin(task, min(each, self.count)))
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        finally:
            wait(pending)

    def _begin(self, task: Callable[[], T], threads: int) -> Future[T]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.count, "dreamlayer-block")
            return self._pool.submit(_with, threads, task)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_here = threading.local()
_settling = threading.Lock()


def _with(threads: int, task: Callable[[], T]) -> T:
    """Run a task in a thread for which torch uses so many."""
    if getattr(_here, "threads", 0) != threads:
        with _settling:
            usual = torch.get_num_threads()
            torch.set_num_threads(threads)
            # That holds for this thread, but also for all that begin later: it is undone for them.
            others = threading.Thread(target=torch.set_num_threads, args=(usual,))
            others.start()
            others.join()
        _here.threads = threads
    return task()


shared = Workers()  # those of this process
