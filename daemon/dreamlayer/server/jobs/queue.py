"""Dreams under way, and the order in which they have their turn.

Quick dreams go before all others. The others take turns, client by client, so that nobody waits
behind somebody else's whole pile.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from dreamlink.wire.messages import DreamRequest, Frame, Header


class Job:
    """A dream under way, from request to answer.

    Attributes:
        peer: the connection that it answers to; another one if its client came back.
        lane: the connection that asked for it: whose turns it takes.
        frames: the request's pixels, until it is computed.
        state: "queued", "running", or "paused" while a quick one is computed.
        fraction: how much of the work is done, 0 to 1.
        asked: when it was asked for, on time.monotonic()'s clock.
        since: when it was first seen by `Schedule.expire`.
        cancelled: set when nobody wants it any more.
        over: whether it was answered.
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
        """Bytes of the pixels that came with the request."""
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


class Queue:
    """Dreams that wait. Iterating gives them in the order in which they would be computed."""

    def __init__(self) -> None:
        self._quick: deque[Job] = deque()
        self._turns: dict[bytes, deque[Job]] = {}  # by lane, in the order of their next turns
        self._last: bytes | None = None  # the lane that had the last turn: all others go before it

    def __len__(self) -> int:
        return len(self._quick) + sum(len(jobs) for jobs in self._turns.values())

    def __iter__(self) -> Iterator[Job]:
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

    def add(self, job: Job) -> None:
        if job.request.quick:
            self._quick.append(job)
        else:
            self._turns.setdefault(job.lane, deque()).append(job)
            if self._last in self._turns:
                self._turns[self._last] = self._turns.pop(self._last)

    def remove(self, job: Job) -> None:
        """Take out a job that is in the queue."""
        if job.request.quick:
            self._quick.remove(job)
            return
        jobs = self._turns[job.lane]
        jobs.remove(job)
        if not jobs:
            del self._turns[job.lane]

    def next_quick(self) -> Job:
        """Take out the quick job that waited longest."""
        return self._quick.popleft()

    def next_other(self) -> Job:
        """Take out the job whose turn it is; its lane has its next turn after all others."""
        lane = next(iter(self._turns))
        jobs = self._turns.pop(lane)
        job = jobs.popleft()
        if jobs:
            self._turns[lane] = jobs
        self._last = lane
        return job


class Share:
    """Lets quick dreams take no more than a part of the time while others are under way.

    What a quick one has taken, the others must be given in proportion before the next one.

    Args:
        part: of the time, 0 (exclusive) to 1, that quick dreams may take.
    """

    def __init__(self, part: float) -> None:
        self._others_per_quick = (1 - part) / part
        self._owed = 0.0  # seconds that the others have to be given

    @property
    def quick_may(self) -> bool:
        return self._owed <= 0

    def quick_took(self, seconds: float) -> None:
        self._owed += seconds * self._others_per_quick

    def others_took(self, seconds: float) -> None:
        self._owed = max(0.0, self._owed - seconds)

    def nobody_waits(self) -> None:
        """Nothing is owed to nobody."""
        self._owed = 0.0
