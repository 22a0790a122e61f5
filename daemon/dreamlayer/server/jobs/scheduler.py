"""Which dreams are under way, which of them is computed next, and how each of them ends.

The I/O thread asks for dreams and cancels them, the compute thread takes and ends them; a dream is
answered exactly once, whoever is quicker.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dreamlayer.server.config.settings import Settings, remedy
from dreamlayer.server.jobs.queue import Job, Queue, Share
from dreamlayer.server.jobs.results import Results
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlink.wire.messages import Frame, Header, MessageError

AGAIN = "Connected again…"
TOO_OLD = f"The dream was not finished in the time that dreams have ({remedy('job_age')})."


class Question(NamedTuple):
    """Something to be told between two tiles: a model's layers, or the models there are (None)."""

    peer: bytes
    id: str
    model: str | None


class Schedule:
    """What the compute thread has to do. None of the methods waits but `take`."""

    def __init__(
        self, post: Callable[[Outgoing], None], results: Results, settings: Settings
    ) -> None:
        self._post = post
        self._results = results
        self._job_age = settings.job_age
        self._share = Share(settings.quick_share / 100)
        self._changed = threading.Condition()  # guards what follows
        self._queue = Queue()
        self._running: list[Job] = []  # the dream in work; before it one that is paused for it
        self._questions: deque[Question] = deque()
        self._counts = {"done": 0, "failed": 0, "cancelled": 0}
        self.ending = False

    # For the I/O thread.

    def submit(self, job: Job) -> int:
        """Queue a dream; returns how many run before it. Raises MessageError for an id in use.

        A quick one takes the place of its client's other quick ones, which are cancelled.
        """
        with self._changed:
            if any(other.id == job.id for other in self._jobs()):
                raise MessageError(f"The dream {job.id!r} is already under way.")
            if job.request.quick:
                self._cancel(lambda other: other.request.quick and other.peer == job.peer)
            self._queue.add(job)
            self._changed.notify()
            return self._ahead(job)

    def cancel(self, peer: bytes, job_id: str) -> None:
        """Cancel a dream of `peer`; an unknown one is none of its own or over."""
        self._cancel(lambda job: job.peer == peer and job.id == job_id)

    def give_up(self, peer: bytes) -> None:
        """Cancel the dreams of a peer that did not come back, but for those to keep."""
        self._cancel(lambda job: job.peer == peer and not job.request.keep)

    def attach(self, peer: bytes, job_id: str) -> bool:
        """Let a dream answer to `peer` from now on; False if it is not under way (any more)."""
        with self._changed:
            job = next((job for job in self._jobs() if job.id == job_id), None)
            if job is None:
                return False
            job.peer = peer
            if job.state == "queued":
                self.answer(job, {"op": "queued", "ahead": self._ahead(job)})
            else:
                self.answer(job, {"op": "progress", "fraction": job.fraction, "text": AGAIN})
            return True

    def expire(self, now: float) -> None:
        """Give up dreams that are too old; `now` in seconds of any clock, always the same."""
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
        """Have something told between two tiles."""
        with self._changed:
            self._questions.append(question)
            self._changed.notify()

    def end(self) -> None:
        """Cancel all dreams and have the compute thread end after the tile in work."""
        with self._changed:
            self._cancel(lambda job: True)
            self.ending = True
            self._changed.notify()

    @property
    def busy(self) -> bool:
        """Whether any dream is not answered yet."""
        with self._changed:
            return bool(self._jobs())

    def waiting(self) -> list[Job]:
        """The dreams that are not computed yet, in the order in which they will be."""
        with self._changed:
            return list(self._queue)

    def status(self) -> Header:
        """What `status` tells of dreams: those under way, and how many ended how."""
        with self._changed:
            jobs = self._jobs()
            waiting = sum(job.nbytes for job in jobs)
            told = [job.describe() for job in jobs]
            return {"jobs": told, "waiting_memory": waiting, **self._counts}

    # For the compute thread.

    def take(self, timeout: float | None = None) -> Job | None:
        """Wait for something to do, and begin with the dream whose turn it is.

        None: a question was asked, or it is time to end, or `timeout` seconds have passed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._questions or self.ending, timeout)
            if self.ending or not self._queue:
                return None
            if not self._queue.has_others:
                self._share.nobody_waits()
            quick = self._queue.has_quick and self._share.quick_may
            return self._begin(self._queue.next_quick() if quick else self._queue.next_other())

    def take_quick(self, paused: Job) -> Job | None:
        """Begin with a quick dream, if one waits and may, while another one is paused for it.

        Two dreams then have their planes in memory, but one of them is small.
        """
        with self._changed:
            paused.state = "running"
            may = self._queue.has_quick and self._share.quick_may
            if not may or paused.request.quick or paused.cancelled.is_set():
                return None
            paused.state = "paused"
            return self._begin(self._queue.next_quick())

    def question(self) -> Question | None:
        """The next question, if there is one."""
        with self._changed:
            return self._questions.popleft() if self._questions else None

    def spent(self, job: Job, seconds: float) -> None:
        """Note that a tile of a dream has taken so long."""
        if job.request.quick:
            self._share.quick_took(seconds)
        else:
            self._share.others_took(seconds)

    def answer(self, job: Job, header: Header, frames: Sequence[Frame] = ()) -> None:
        """Tell a dream's client something on the way."""
        self._post(Outgoing(job.peer, {**header, "id": job.id}, frames))

    def ended(self, job: Job, outcome: str, header: Header, pixels: Frame | None) -> None:
        """A dream that was begun is over: "done", "failed" or "cancelled"."""
        with self._changed:
            self._running.remove(job)
            self._end(job, outcome, header, pixels)

    # The lock is held.

    def _jobs(self) -> list[Job]:
        return [*(job for job in self._running if not job.over), *self._queue]

    def _ahead(self, job: Job) -> int:
        before = list(self._queue).index(job)
        return before + sum(job.request.quick <= other.request.quick for other in self._running)

    def _begin(self, job: Job) -> Job:
        job.state = "running"
        self._running.append(job)
        return job

    def _cancel(self, chosen: Callable[[Job], bool]) -> None:
        with self._changed:
            for job in [job for job in self._queue if chosen(job)]:
                self._queue.remove(job)
                self._end(job, "cancelled", {"op": "cancelled"})
            for job in [job for job in self._running if chosen(job)]:
                job.cancelled.set()
                if job.state == "paused":  # it has no tile in work that would have to end first
                    self._end(job, "cancelled", {"op": "cancelled"})

    def _end(self, job: Job, outcome: str, header: Header, pixels: Frame | None = None) -> None:
        """Answer a dream's client for good, once."""
        if not job.over:
            job.over = True
            job.frames = ()
            self._counts[outcome] += 1
            self._results.put(job.peer, job.request, header, pixels)
