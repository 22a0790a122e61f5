"""Dreams in progress: which one is computed next, and how each of them ends.

The I/O thread submits and cancels dreams, the compute thread takes and finishes them. Each dream
gets exactly one final answer, whichever thread is first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from dreamlayer.server.config.settings import Settings, limit_hint
from dreamlayer.server.jobs.question import Question
from dreamlayer.server.jobs.queue import JobQueue, QueuedDream, UrgentShare, everybody
from dreamlayer.server.jobs.results import ResultStore
from dreamlayer.server.jobs.turns import Turns
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.principal import Peer, Principal, room
from dreamlink.wire.messages import Frame, Header, MessageError

# While a guest's dream waits, the local user's get this share of the time, and then wait for the
# guest's for so many seconds at most.
LOCAL_SHARE, GUEST_TURN = 0.75, 10.0
QUESTIONS_MAX = 64  # that wait
RECONNECTED = "Connected again…"
FINISHING = "Ending the last step of a dream that was cancelled…"
TOO_OLD = f"The dream was not finished within the time allowed ({limit_hint('job_age')})."


class Scheduler:
    """The work of the compute thread. Only `take` blocks."""

    def __init__(
        self, post: Callable[[Outgoing], None], results: ResultStore, settings: Settings
    ) -> None:
        self._post = post
        self._results = results
        self._job_age = settings.job_age
        # Of quick dreams, by whether they are the local user's.
        self._quick_shares = {
            local: UrgentShare(settings.quick_share / 100) for local in (True, False)
        }
        self._local_share = UrgentShare(LOCAL_SHARE, GUEST_TURN)
        self._changed = threading.Condition()  # guards the following attributes
        self._queue = JobQueue()
        # The current dream; before it those that are paused for it. They stay here until the
        # compute thread has left them, even if they are over.
        self._running: list[QueuedDream] = []
        self._questions: Turns[Principal, Question] = Turns()
        self._seeing: Question | None = None  # the one about a picture that is being answered
        self._counts = {"done": 0, "failed": 0, "cancelled": 0}
        self.ending = False

    # For the I/O thread.

    def submit(self, job: QueuedDream) -> int:
        """Queue a dream; returns how many go before it. Raises MessageError for an id in use.

        A quick dream cancels the quick dreams of its client, and looks cancel its looks.
        """
        with self._changed:
            if self._find(job.lane.principal, job.id) is not None:
                raise MessageError(f"The dream {job.id!r} is already in progress.")
            self._cancel(job.replaces)
            self._queue.add(job)
            self._changed.notify()
            return self._ahead(job)

    def cancel(self, peer: Peer, job_id: str) -> None:
        """Cancel a dream, or a look at a picture, of `peer`; does nothing if it has none such."""
        self._cancel(lambda job: job.peer == peer and job.id == job_id)
        self._cancel_seeing(lambda question: question.peer == peer and question.id == job_id)

    def give_up(self, peer: Peer) -> None:
        """Cancel the dreams, except those to keep, of a peer that did not come back."""
        self._cancel(lambda job: job.peer == peer and not job.request.keep)
        self._cancel_seeing(lambda question: question.peer == peer)

    def attach(self, peer: Peer, job_id: str) -> bool:
        """Send a dream's answers to `peer` from now on; False if it has none such in progress."""
        with self._changed:
            job = self._find(peer.principal, job_id)
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
        """Have a question answered between two tiles; raises MessageError if too many wait.

        A client that looks at a picture has no use for its earlier look: that one is cancelled.
        """
        principal = question.peer.principal
        with self._changed:
            if question.see is not None:
                self._cancel_seeing(lambda other: other.peer == question.peer)
            if room(QUESTIONS_MAX, principal, self._questions.counts()) <= 0:
                raise MessageError("Too many questions are waiting for an answer: ask again soon.")
            self._questions.add(principal, question)
            self._changed.notify()

    def end(self) -> None:
        """Cancel all dreams and make the compute thread end after the current tile."""
        with self._changed:
            self._cancel(lambda job: True)
            self._cancel_seeing(lambda question: True)
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

    def seeing_bytes(self) -> Counter[Principal]:
        """Bytes of the pictures that wait to be looked at, by principal."""
        with self._changed:
            held: Counter[Principal] = Counter()
            for question in self._looks():
                held[question.peer.principal] += question.nbytes
            return held

    def status(self, viewer: Principal) -> Header:
        """The fields of `status` about dreams: those in progress, and how many ended how.

        A guest learns only how far the dreams of others are.
        """
        with self._changed:
            jobs = self._jobs()
            theirs = [job for job in jobs if viewer.is_local or job.lane.principal == viewer]
            return {
                "jobs": [job.describe(viewer) for job in jobs],
                "waiting_memory": sum(job.nbytes for job in theirs),
                "finishing": sum(job.over for job in self._running),
                **(self._counts if viewer.is_local else {}),
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
            self._local_share.reset()
            if not self._queue.has_others():
                for share in self._quick_shares.values():
                    share.reset()
            job = self._next_quick(local=True) or self._next_quick(local=False)
            return self._begin(job or self._queue.next_other())

    def take_urgent(self, paused: QueuedDream) -> QueuedDream | None:
        """Pause a dream and begin one that goes before it, if one waits and is allowed to run.

        Two dreams then hold their planes in memory; only if a guest's is paused for the local
        user's, both may be large.
        """
        with self._changed:
            paused.state = "running"
            if paused.cancelled.is_set():
                return None
            urgent = self._next_urgent(paused)
            if urgent is None:
                return None
            paused.state = "paused"
            return self._begin(urgent)

    def _next_urgent(self, paused: QueuedDream) -> QueuedDream | None:
        """Remove and return the dream for which `paused` is to be paused. Lock held."""
        queue, quick = self._queue, paused.request.quick
        if paused.is_looks:  # its share of the time is that of quick dreams, which it counts as
            sides = (_local,) if paused.lane.principal.is_local else (_local, _guest)
            waiting = next((side for side in sides if queue.has_quick(side)), None)
            if waiting is not None:
                return queue.next_quick(waiting)
        if paused.lane.principal.is_local:
            return None if quick else self._next_quick(local=True)
        if quick and queue.has_quick(_local):  # which otherwise waits for dreams that are not quick
            return queue.next_quick(_local)
        urgent = self._next_quick(local=True)
        if urgent is None and self._local_share.allowed and queue.has_others(_local):
            return queue.next_other(_local)
        return urgent or (None if quick else self._next_quick(local=False))

    def _next_quick(self, local: bool) -> QueuedDream | None:
        """Remove and return the next quick dream of the local user or of guests. Lock held."""
        chosen = _local if local else _guest
        if self._quick_shares[local].allowed and self._queue.has_quick(chosen):
            return self._queue.next_quick(chosen)
        return None

    def take_question(self, guests: bool = True) -> Question | None:
        """The next question, or None; with `guests` False only one of the local user's."""
        chosen = everybody if guests else _local
        with self._changed:
            question = self._questions.take(chosen) if self._questions.has(chosen) else None
            self._seeing = question if question is not None and question.see else None
            return question

    def answer_question(
        self, question: Question, header: Header, frames: Sequence[Frame] = ()
    ) -> None:
        """Send the answer to a question that was taken, unless it was cancelled."""
        with self._changed:
            self._seeing = None
            if not question.cancelled.is_set():
                answer = {**header, "id": question.id}
                self._post(Outgoing(question.peer, answer, frames))

    def add_time(self, job: QueuedDream, seconds: float) -> None:
        """Note how long a tile of a dream has taken."""
        if job.request.quick:
            self._quick_shares[job.lane.principal.is_local].add_urgent(seconds)
        else:
            for share in self._quick_shares.values():
                share.add_other(seconds)
        if job.lane.principal.is_local:
            self._local_share.add_urgent(seconds)
        else:
            self._local_share.add_other(seconds)

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
        return before + sum(not job.may_pause(other) for other in running)

    def _find(self, principal: Principal, job_id: str) -> QueuedDream | None:
        """A principal's dream in progress."""
        mine = (job for job in self._jobs() if job.lane.principal == principal)
        return next((job for job in mine if job.id == job_id), None)

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

    def _looks(self) -> list[Question]:
        """The questions about pictures, waiting or being answered. Lock held."""
        waiting = [question for question in self._questions if question.see]
        return [*([self._seeing] if self._seeing else []), *waiting]

    def _cancel_seeing(self, chosen: Callable[[Question], bool]) -> None:
        with self._changed:
            for question in filter(chosen, self._looks()):
                if question.cancelled.is_set():
                    continue
                question.cancelled.set()
                if question is not self._seeing:
                    self._questions.remove(question.peer.principal, question)
                answer = {"op": "cancelled", "id": question.id}
                self._post(Outgoing(question.peer, answer))

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


def _local(principal: Principal) -> bool:
    return principal.is_local


def _guest(principal: Principal) -> bool:
    return not principal.is_local
