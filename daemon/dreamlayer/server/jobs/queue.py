"""Dream jobs and the order in which they are computed.

Quick dreams go before all others. The others take turns, client by client, so that no client has
to wait for all dreams of another one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from dreamlink.wire.messages import DreamRequest, Frame, Header


class QueuedDream:
    """A dream in progress, from request to answer.

    Attributes:
        peer: the connection that gets the answers; a new one if the client came back.
        lane: the connection that asked for it, in whose turn it is computed.
        frames: the request's pixels, until the dream is over.
        state: "queued", "running", or "paused" while a quick dream is computed.
        fraction: how much of the work is done, 0 to 1.
        asked: when it was asked for, on time.monotonic()'s clock.
        since: when it was first seen by `Scheduler.expire`.
        cancelled: set when the dream is no longer wanted.
        over: whether the final answer was given.
    """

    def __init__(self, peer: bytes, request: DreamRequest, frames: Sequence[Frame]) -> None:
        self.peer = self.lane = peer
        self.request = request
        self.frames = frames
        self.state = "queued"
        self.fraction = 0.0
        self.asked = time.monotonic()
        self.since: float | None = None
        self.cancelled = threading.Event()
        self.over = False

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def nbytes(self) -> int:
        """Bytes of the request's pixels."""
        return sum(memoryview(frame).nbytes for frame in self.frames)

    def describe(self) -> Header:
        return {
            "id": self.id,
            "state": self.state,
            "fraction": self.fraction,
            "quick": self.request.quick,
            "keep": self.request.keep,
            "client": self.lane.hex(),
            "age": round(time.monotonic() - self.asked, 1),
        }


class JobQueue:
    """Waiting dreams. Iterating yields them in the order in which they would be computed."""

    def __init__(self) -> None:
        self._quick: deque[QueuedDream] = deque()
        # By lane, in the order of their next turns.
        self._turns: dict[bytes, deque[QueuedDream]] = {}
        # The lane that had the last turn; it goes behind the others.
        self._last: bytes | None = None

    def __len__(self) -> int:
        return len(self._quick) + sum(len(jobs) for jobs in self._turns.values())

    def __iter__(self) -> Iterator[QueuedDream]:
        yield from self._quick
        turns = [iter(tuple(jobs)) for jobs in self._turns.values()]
        while turns:
            following = []
            for jobs in turns:
                job = next(jobs, None)
                if job is not None:
                    yield job
                    following.append(jobs)
            turns = following

    @property
    def has_quick(self) -> bool:
        return bool(self._quick)

    @property
    def has_others(self) -> bool:
        return bool(self._turns)

    def add(self, job: QueuedDream) -> None:
        if job.request.quick:
            self._quick.append(job)
        else:
            self._turns.setdefault(job.lane, deque()).append(job)
            if self._last in self._turns:
                self._turns[self._last] = self._turns.pop(self._last)

    def remove(self, job: QueuedDream) -> None:
        """Remove a job that is in the queue."""
        if job.request.quick:
            self._quick.remove(job)
            return
        jobs = self._turns[job.lane]
        jobs.remove(job)
        if not jobs:
            del self._turns[job.lane]

    def next_quick(self) -> QueuedDream:
        """Remove and return the quick job that has waited longest."""
        return self._quick.popleft()

    def next_other(self) -> QueuedDream:
        """Remove and return the job whose turn it is; its lane goes behind all others."""
        lane = next(iter(self._turns))
        jobs = self._turns.pop(lane)
        job = jobs.popleft()
        if jobs:
            self._turns[lane] = jobs
        self._last = lane
        return job


class QuickShare:
    """Limits the share of time that quick dreams take while normal dreams are waiting.

    After a quick dream, normal dreams get their proportion of time before the next quick one.

    Args:
        share: of the time that quick dreams may take, 0 (exclusive) to 1.
    """

    def __init__(self, share: float) -> None:
        self._normal_per_quick = (1 - share) / share
        self._debt = 0.0  # seconds that normal dreams must get before the next quick one

    @property
    def quick_allowed(self) -> bool:
        return self._debt <= 0

    def add_quick(self, seconds: float) -> None:
        self._debt += seconds * self._normal_per_quick

    def add_normal(self, seconds: float) -> None:
        self._debt = max(0.0, self._debt - seconds)

    def reset(self) -> None:
        """Reset the debt when no normal job waits."""
        self._debt = 0.0
