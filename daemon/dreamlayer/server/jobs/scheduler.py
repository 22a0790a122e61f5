"""Dreams in progress: which one is computed next, and how each of them ends.

The I/O thread submits and cancels dreams, the compute thread takes and finishes them. Each dream
gets exactly one final answer, whichever thread is first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dreamlayer.server.config.settings import Settings, limit_hint
from dreamlayer.server.jobs.queue import JobQueue, QueuedDream, QuickShare
from dreamlayer.server.jobs.results import ResultStore
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlink.wire.messages import Frame, Header, MessageError

RECONNECTED = "Connected again…"
FINISHING = "Ending the last step of a dream that was cancelled…"
TOO_OLD = f"The dream was not finished within the time allowed ({limit_hint('job_age')})."


class Question(NamedTuple):
    """A question answered between two tiles: a model's layers, or, for None, the list of models."""

    peer: bytes
    id: str
    model: str | None


class Scheduler:
    """The work of the compute thread. Only `take` blocks."""

    def __init__(
        self, post: Callable[[Outgoing], None], results: ResultStore, settings: Settings
    ) -> None:
        self._post = post
        self._results = results
        self._job_age = settings.job_age
        self._share = QuickShare(settings.quick_share / 100)
        self._changed = threading.Condition()  # guards the following attributes
        self._queue = JobQueue()
        # The current dream; before it one that is paused for it. They stay here until the compute
        # thread has left them, even if they are over.
        self._running: list[QueuedDream] = []
        self._questions: deque[Question] = deque()
        self._counts = {"done": 0, "failed": 0, "cancelled": 0}
        self.ending = False

    # For the I/O thread.

    def submit(self, job: QueuedDream) -> int:
        """Queue a dream; returns how many go before it. Raises MessageError for an id in use.

        A quick dream replaces the other quick dreams of its client, which are cancelled.
        """
        with self._changed:
            if any(other.id == job.id for other in self._jobs()):
                raise MessageError(f"The dream {job.id!r} is already in progress.")
            if job.request.quick:
                self._cancel(lambda other: other.request.quick and other.peer == job.peer)
            self._queue.add(job)
            self._changed.notify()
            return self._ahead(job)

    def cancel(self, peer: bytes, job_id: str) -> None:
        """Cancel a dream of `peer`; does nothing if it has no such dream, or no longer."""
        self._cancel(lambda job: job.peer == peer and job.id == job_id)

    def give_up(self, peer: bytes) -> None:
        """Cancel the dreams, except those to keep, of a peer that did not come back."""
        self._cancel(lambda job: job.peer == peer and not job.request.keep)

    def attach(self, peer: bytes, job_id: str) -> bool:
        """Send a dream's answers to `peer` from now on; False if it is not in progress."""
        with self._changed:
            job = next((job for job in self._jobs() if job.id == job_id), None)
            if job is None:
                return False
            job.peer = peer
            if job.state == "queued":
                self.answer(job, {"op": "queued", "ahead": self._ahead(job)})
            else:
                self.answer(job, {"op": "progress", "fraction": job.fraction, "text": RECONNECTED})
            return True

    def expire(self, now: float) -> None:
        """Give up dreams that are too old; `now` is in seconds, always of the same clock."""
        with self._changed:
            for job in self._jobs():
                if job.since is None:
                    job.since = now
                elif self._job_age and now - job.since > self._job_age:
                    if job.state == "queued":
                        self._queue.remove(job)
                    job.cancelled.set()
                    self._end(job, "failed", {"op": "error", "text": TOO_OLD})

    def ask(self, question: Question) -> None:
        """Have a question answered between two tiles."""
        with self._changed:
            self._questions.append(question)
            self._changed.notify()

    def end(self) -> None:
        """Cancel all dreams and make the compute thread end after the current tile."""
        with self._changed:
            self._cancel(lambda job: True)
            self.ending = True
            self._changed.notify()

    @property
    def busy(self) -> bool:
        """Whether any dream is in progress."""
        with self._changed:
            return bool(self._jobs())

    @property
    def finishing(self) -> bool:
        """Whether the compute thread is still in a dream that is over. Quick ones don't count."""
        with self._changed:
            return any(job.over and not job.request.quick for job in self._running)

    def waiting(self) -> list[QueuedDream]:
        """The dreams that have not begun, in the order in which they will be computed."""
        with self._changed:
            return list(self._queue)

    def status(self) -> Header:
        """The fields of `status` about dreams: those in progress, and how many ended how."""
        with self._changed:
            jobs = self._jobs()
            waiting = sum(job.nbytes for job in jobs)
            return {
                "jobs": [job.describe() for job in jobs],
                "waiting_memory": waiting,
                "finishing": sum(job.over for job in self._running),
                **self._counts,
            }

    # For the compute thread.

    def take(self, timeout: float | None = None) -> QueuedDream | None:
        """Wait for work, and begin the dream whose turn it is.

        None: a question was asked, the thread should end, or `timeout` seconds have passed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._questions or self.ending, timeout)
            if self.ending or not self._queue:
                return None
            if not self._queue.has_others:
                self._share.reset()
            quick = self._queue.has_quick and self._share.quick_allowed
            return self._begin(self._queue.next_quick() if quick else self._queue.next_other())

    def take_quick(self, paused: QueuedDream) -> QueuedDream | None:
        """Pause a dream and begin a quick one, if one waits and is allowed to run.

        Two dreams then hold their planes in memory, but one of them is small.
        """
        with self._changed:
            paused.state = "running"
            allowed = self._queue.has_quick and self._share.quick_allowed
            if not allowed or paused.request.quick or paused.cancelled.is_set():
                return None
            paused.state = "paused"
            return self._begin(self._queue.next_quick())

    def take_question(self) -> Question | None:
        """The next question, or None."""
        with self._changed:
            return self._questions.popleft() if self._questions else None

    def add_time(self, job: QueuedDream, seconds: float) -> None:
        """Note how long a tile of a dream has taken."""
        if job.request.quick:
            self._share.add_quick(seconds)
        else:
            self._share.add_normal(seconds)

    def answer(self, job: QueuedDream, header: Header, frames: Sequence[Frame] = ()) -> None:
        """Send a message about a dream to its client, unless it has had the final one."""
        with self._changed:
            if not job.over:
                self._post(Outgoing(job.peer, {**header, "id": job.id}, frames))

    def finish(self, job: QueuedDream, outcome: str, header: Header, pixels: Frame | None) -> None:
        """Record that a begun dream is "done", "failed" or "cancelled", and send the answer."""
        with self._changed:
            self._running.remove(job)
            self._end(job, outcome, header, pixels)

    # Called with the lock held.

    def _jobs(self) -> list[QueuedDream]:
        return [*(job for job in self._running if not job.over), *self._queue]

    def _ahead(self, job: QueuedDream) -> int:
        before = list(self._queue).index(job)
        running = [other for other in self._running if not other.over]
        return before + sum(job.request.quick <= other.request.quick for other in running)

    def _begin(self, job: QueuedDream) -> QueuedDream:
        job.state = "running"
        self._running.append(job)
        return job

    def _cancel(self, chosen: Callable[[QueuedDream], bool]) -> None:
        with self._changed:
            for job in [job for job in self._queue if chosen(job)]:
                self._queue.remove(job)
                self._end(job, "cancelled", {"op": "cancelled"})
            for job in [job for job in self._running if chosen(job) and not job.over]:
                # Answered at once: what the compute thread is doing may take a while yet.
                job.cancelled.set()
                self._end(job, "cancelled", {"op": "cancelled"})
                self._tell_next()

    def _tell_next(self) -> None:
        """Tell the dream whose turn it is what it waits for, if that is one that is over."""
        job = next(iter(self._queue), None)
        if job is not None and self.finishing:
            self.answer(job, {"op": "progress", "fraction": 0.0, "text": FINISHING})

    def _end(
        self, job: QueuedDream, outcome: str, header: Header, pixels: Frame | None = None
    ) -> None:
        """Send the final answer, unless the dream has one already."""
        if not job.over:
            job.over = True
            job.frames = ()
            self._counts[outcome] += 1
            self._results.put(job.peer, job.request, header, pixels)
