"""Worker threads that compute blocks in parallel, never more threads in total than cores.

A few threads share a block: one large block has less surroundings to compute than two of half its
size. With more cores than that, several blocks are computed in parallel. The result does not depend
on which thread computes which block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from dreamlayer.runtime import interruption
from dreamlayer.runtime.other_programs import cores

T = TypeVar("T")


class Workers:
    """Threads that compute blocks. A new thread limit takes effect at the next block."""

    def __init__(self, count: int = 0) -> None:
        """0: one thread for each core that this process may use."""
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self.count = 0
        self.limit(count)

    def limit(self, count: int) -> None:
        """Set the number of threads; 0: one for each core that this process may use."""
        wanted = min(count, cores()) if count else cores()
        with self._lock:
            if wanted != self.count and self._pool:
                self._pool.shutdown(wait=False)  # running blocks are finished
                self._pool = None
            self.count = wanted

    def run(self, tasks: Iterable[Callable[[], T]], each: int = 1) -> Iterator[T]:
        """Run tasks of `each` threads; yields their results in the order of completion.

        Starts no more tasks than there are threads for, so that closing the generator waits only
        for the running ones. The first error is raised after they have ended.
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
            return self._pool.submit(_run_with_threads, threads, task, interruption.question())


_thread_state = threading.local()
_setting_threads = threading.Lock()


def _run_with_threads(threads: int, task: Callable[[], T], ended: interruption.Question) -> T:
    """Run a task in a thread with this number of torch threads, until its dream has `ended`."""
    if getattr(_thread_state, "threads", 0) != threads:
        with _setting_threads:
            usual = torch.get_num_threads()
            torch.set_num_threads(threads)
            # This also changes the default of all threads that start later, so restore it for them.
            others = threading.Thread(target=torch.set_num_threads, args=(usual,))
            others.start()
            others.join()
        _thread_state.threads = threads
    with interruption.interruptible(ended):
        interruption.check()
        return task()


shared = Workers()  # of this process
