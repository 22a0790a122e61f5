"""Dreams one after another over one connection, a few of them ahead.

While the daemon dreams, this process reads the next pictures and writes the last one, so that the
daemon does not wait for either. All in one thread.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from dreamlayer.daemon_client import CommandError
from dreamlayer.dreaming.asking import AskedDream
from dreamlink.client.client import Client, LinkError
from dreamlink.client.reconnecting import ReconnectingClient
from dreamlink.session.dream import Dream, State

AHEAD = 3  # dreams at the daemon, of which it computes one
AHEAD_BYTES = 256 << 20  # of pictures under way, from which on no other one is read
WAIT = 0.25  # seconds for a message, between two looks at the progress
CANCEL_WITHIN = 5.0  # seconds that an interruption waits for the daemon's answer
UNWRITTEN = "Nothing was written: dream again."


class PictureJob(Protocol):
    """A picture to dream on."""

    def ask(self) -> AskedDream:
        """Read it, and compose its request; raises ValueError or OSError, with a sentence."""

    def close(self) -> None:
        """Let go of it; nothing else is called after that."""


J = TypeVar("J", bound=PictureJob)


class UnderWay(Generic[J]):
    """A picture from reading it to its result.

    Attributes:
        dream: the dream at the daemon; None if it is not there.
        repeated: whether its dream is the second one, which has no company.
        nbytes: bytes of the pixels that are sent.
        outcome: the dream when it is over, or the error with which the job refused.
    """

    def __init__(self, job: J) -> None:
        self.job = job
        self.dream: Dream | None = None
        self.nbytes = 0
        self.outcome: Dream | Exception | None = None
        self._asked: AskedDream | None = None
        self.repeated = False

    def read(self) -> None:
        """Have the picture read; an error is the outcome."""
        try:
            self._asked = self.job.ask()
            self.nbytes = self._asked.nbytes
        except (ValueError, OSError, CommandError) as error:  # ours, with a sentence for the user
            self.outcome = error

    @property
    def fraction(self) -> float:
        """How much of the dream is done, 0 to 1; what is refused is done."""
        if self.outcome is not None:
            return 1.0
        return self.dream.fraction if self.dream else 0.0

    @property
    def text(self) -> str:
        """A line about what happens with it."""
        return self.dream.text if self.dream else "Waiting…"

    def send(self, client: ReconnectingClient) -> None:
        assert self._asked is not None
        self.dream = Dream(client, self._asked.request, *self._asked.frames)

    def settle(self, *, company: bool) -> None:
        """Take the dream's end as the outcome, unless it failed beside others: then once more."""
        dream = self.dream
        if dream is None or self.outcome is not None or not dream.over:
            return
        if dream.state is State.FAILED and company and not self.repeated:
            self.dream, self.repeated = None, True
        else:
            self.outcome = dream
            self._asked = None


Watch = Callable[[Sequence[UnderWay[J]]], None]
Outcomes = Generator[tuple[J, Dream | Exception], None, None]


def in_turn(jobs: Iterable[J], connect: Callable[[], Client], watch: Watch[J]) -> Outcomes[J]:
    """Dream on pictures; yields each, in their order, when its dream is over.

    With it comes the `Dream`, done or failed, or the error with which `ask` refused. A dream that
    fails while others are under way, for want of memory or with the connection, is dreamed once
    more by itself, when those are over. A job is closed when the next one is asked for. Close the
    generator to cancel what is under way; an error in `watch` cancels it, too.

    Args:
        jobs: the pictures; one is taken from it when there is room at the daemon.
        connect: makes a connection, the first time and when the daemon was lost.
        watch: is called several times a second, with what is under way in its order.

    Raises:
        LinkError, CommandError: the daemon can't be reached.
    """
    line = _DreamLine[J](connect)
    waiting = iter(jobs)
    more = True
    try:
        while more or line.under_way:
            while line.under_way and (outcome := line.under_way[0].outcome) is not None:
                first = line.under_way[0]
                yield first.job, outcome
                first.job.close()
                line.under_way.popleft()  # until here, an interruption closes it
            while more and line.has_room:
                job = next(waiting, None)
                if job is None:
                    more = False
                else:
                    line.add(job)
            if line.under_way:
                line.receive()
                watch(line.under_way)
    finally:
        line.end()


class _DreamLine(Generic[J]):
    """The connection, and the pictures under way, in their order."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self.under_way: deque[UnderWay[J]] = deque()
        self._connect = connect
        self._client: ReconnectingClient | None = None

    @property
    def has_room(self) -> bool:
        """Whether another picture may be read and sent."""
        repeating = any(one.repeated and one.outcome is None for one in self.under_way)
        held = sum(one.nbytes for one in self.under_way)
        return not repeating and len(self.under_way) < AHEAD and held < AHEAD_BYTES

    def add(self, job: J) -> None:
        """Read a picture, and ask for its dream."""
        one = UnderWay(job)
        self.under_way.append(one)
        one.read()
        if one.outcome is None:
            self._send(one)

    def receive(self, timeout: float = WAIT) -> None:
        """Wait for a message, and settle what is over. If the daemon is lost, all fail."""
        dreams = self._dreams()
        if self._client is not None and dreams:
            try:
                self._client.feed_all(dreams, timeout)
            except LinkError as error:
                self._client.close()
                self._client = None
                for dream in dreams:
                    if not dream.over:
                        dream.fail(f"{error} {UNWRITTEN}")
        for one in self.under_way:
            one.settle(company=len(dreams) > 1)
        if not self._dreams():
            for one in self.under_way:
                if one.outcome is None:
                    self._send(one)
                    break

    def end(self) -> None:
        """Cancel what is under way, and close the connection."""
        try:
            if self._client is not None:
                self._cancel(self._client, self._dreams())
        finally:
            for one in self.under_way:
                one.job.close()
            if self._client is not None:
                self._client.close()

    def _cancel(self, client: ReconnectingClient, dreams: Sequence[Dream]) -> None:
        for dream in dreams:
            dream.cancel()
        end = time.monotonic() + CANCEL_WITHIN
        with contextlib.suppress(LinkError):  # then the daemon cancels by itself
            while not all(dream.over for dream in dreams) and time.monotonic() < end:
                client.feed_all(dreams, WAIT)

    def _dreams(self) -> list[Dream]:
        """Those at the daemon."""
        waiting = (one.dream for one in self.under_way if one.outcome is None)
        return [dream for dream in waiting if dream is not None]

    def _send(self, one: UnderWay[J]) -> None:
        if self._client is None:
            self._client = ReconnectingClient(self._connect())
        one.send(self._client)
