"""Dream jobs and the order in which they are computed.

Quick dreams go before all others. Principals take turns, and of each of them its clients, so that
nobody has to wait for all dreams of another one. The local user's dreams pause those of guests.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from dreamlayer.server.jobs.turns import Turns
from dreamlayer.server.transport.principal import Peer, Principal
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import DreamRequest, Frame, Header

Chosen = Callable[[Principal], bool]
SALT = os.urandom(16)  # so that the name of a client in `status` is not its name in libzmq


def everybody(_principal: Principal) -> bool:
    """Chooses everybody."""
    return True


class QueuedDream:
    """A dream in progress, or several looks as one quick dream, from request to answer.

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

    def __init__(
        self, peer: Peer, request: DreamRequest | LooksRequest, frames: Sequence[Frame]
    ) -> None:
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

    @property
    def is_looks(self) -> bool:
        """Whether it is several looks, which take seconds; they count as one quick dream."""
        return isinstance(self.request, LooksRequest)

    def may_pause(self, running: QueuedDream) -> bool:
        """Whether this dream goes before one that runs; quick ones also before looks."""
        if self.lane.principal.is_local != running.lane.principal.is_local:
            return self.lane.principal.is_local
        return self.request.quick and (running.is_looks or not running.request.quick)

    def replaces(self, other: QueuedDream) -> bool:
        """Whether this one is in place of another: quick dreams and looks are, each of its own."""
        quick = self.request.quick and type(self.request) is type(other.request)
        return quick and other.request.quick and self.peer == other.peer

    def describe(self, viewer: Principal) -> Header:
        """The dream as `status` lists it; its id, which may fetch it, only to its principal."""
        return {
            "id": self.id if viewer == self.lane.principal else "",
            "state": self.state,
            "fraction": self.fraction,
            "quick": self.request.quick,
            "keep": self.request.keep,
            "client": hashlib.blake2b(self.lane.routing_id, key=SALT, digest_size=5).hexdigest(),
            "age": round(time.monotonic() - self.asked, 1),
        }


class JobQueue:
    """Waiting dreams. Iterating yields them in the order in which they would be computed."""

    def __init__(self) -> None:
        self._quick: Turns[Principal, QueuedDream] = Turns()
        # Of the other dreams: whose turn it is, and for everybody which client's.
        self._principals: Turns[Principal, Principal] = Turns()
        self._lanes: dict[Principal, Turns[Peer, QueuedDream]] = {}

    def __len__(self) -> int:
        return len(self._quick) + len(self._principals)

    def __iter__(self) -> Iterator[QueuedDream]:
        yield from self._quick
        lanes = {principal: iter(turns) for principal, turns in self._lanes.items()}
        for principal in self._principals:
            yield next(lanes[principal])

    def has_quick(self, chosen: Chosen = everybody) -> bool:
        """Whether a quick dream waits of a principal who is chosen."""
        return self._quick.has(chosen)

    def has_others(self, chosen: Chosen = everybody) -> bool:
        """Whether a dream that is not quick waits of a principal who is chosen."""
        return self._principals.has(chosen)

    def add(self, job: QueuedDream) -> None:
        principal = job.lane.principal
        if job.request.quick:
            self._quick.add(principal, job)
        else:
            self._principals.add(principal, principal)
            self._lanes.setdefault(principal, Turns()).add(job.lane, job)

    def remove(self, job: QueuedDream) -> None:
        """Remove a job that is in the queue."""
        principal = job.lane.principal
        if job.request.quick:
            self._quick.remove(principal, job)
        else:
            self._principals.remove(principal, principal)
            self._lanes[principal].remove(job.lane, job)

    def next_quick(self, chosen: Chosen = everybody) -> QueuedDream:
        """Remove and return the quick job whose turn it is, of those who are chosen."""
        return self._quick.take(chosen)

    def next_other(self, chosen: Chosen = everybody) -> QueuedDream:
        """Remove and return the job whose turn it is, of those who are chosen."""
        return self._lanes[self._principals.take(chosen)].take()


class UrgentShare:
    """Limits the share of time that urgent dreams take while others are waiting.

    After an urgent dream, the others get their proportion of time before the next urgent one.

    Args:
        share: of the time that urgent dreams may take, 0 (exclusive) to 1.
        wait_max: seconds that the others get at most before the next urgent one.
    """

    def __init__(self, share: float, wait_max: float = math.inf) -> None:
        self._other_per_urgent = (1 - share) / share
        self._wait_max = wait_max
        self._debt = 0.0  # seconds that other dreams must get before the next urgent one

    @property
    def allowed(self) -> bool:
        """Whether an urgent dream may begin."""
        return self._debt <= 0

    def add_urgent(self, seconds: float) -> None:
        self._debt = min(self._wait_max, self._debt + seconds * self._other_per_urgent)

    def add_other(self, seconds: float) -> None:
        self._debt = max(0.0, self._debt - seconds)

    def reset(self) -> None:
        """Reset the debt when no other job waits."""
        self._debt = 0.0
