"""Dreams one after another over one connection, a few of them ahead.

While the daemon dreams, this process reads the next pictures and writes the last one, so that the
daemon does not wait for either. All in one thread.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class UnderWay(Generic[J]):
    """A dream at the daemon; `alone`: no other one was asked for beside it."""

    job: J
    asked: AskedDream
    dream: Dream
    alone: bool


Watch = Callable[[Sequence[UnderWay[J]]], None]


def in_turn(
    jobs: Iterable[J], connect: Callable[[], Client], watch: Watch[J]
) -> Generator[tuple[J, Dream | Exception], None, None]:
    """Dream on pictures in their order; yields each when its dream is over.

    That is a `Dream`, done or failed, or the error with which `ask` refused. A dream that fails
    while others are under way, for want of memory or with the connection, is dreamed once more by
    itself, when those are over. A job is closed when the next one is asked for. Close the generator
    to cancel what is under way; an error in `watch` cancels it, too.

    Args:
        jobs: the pictures; one is taken from it when there is room at the daemon.
        connect: makes a connection, the first time and when the daemon was lost.
        watch: is called several times a second, with what is under way.

    Raises:
        LinkError, CommandError: the daemon can't be reached.
    """
    line = _DreamLine[J](connect)
    waiting = iter(jobs)
    again: deque[tuple[J, AskedDream]] = deque()
    more = True
    try:
        while more or again or line.under_way:
            while more and not again and line.has_room:
                job = next(waiting, None)
                if job is None:
                    more = False
                    break
                with _closed_on_error(job):
                    asked = _asked(job)
                    if isinstance(asked, AskedDream):
                        line.send(job, asked)
                        continue
                    yield job, asked
                job.close()
            if again and not line.under_way:
                line.send(*again.popleft(), alone=True)
            if not line.under_way:
                continue
            line.receive()
            watch(line.under_way)
            company = len(line.under_way) > 1
            while (one := line.take_over()) is not None:
                if one.dream.state is State.FAILED and company and not one.alone:
                    again.append((one.job, one.asked))
                    continue
                with contextlib.closing(one.job):
                    yield one.job, one.dream
    finally:
        line.end()
        for job, _asked_dream in again:
            job.close()


def _asked(job: PictureJob) -> AskedDream | Exception:
    try:
        return job.ask()
    except (ValueError, OSError, CommandError) as error:  # ours, with a sentence for the user
        return error


@contextlib.contextmanager
def _closed_on_error(job: PictureJob) -> Iterator[None]:
    try:
        yield
    except BaseException:
        job.close()
        raise


class _DreamLine(Generic[J]):
    """The connection, and what is under way over it."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self.under_way: list[UnderWay[J]] = []
        self._connect = connect
        self._client: ReconnectingClient | None = None

    @property
    def has_room(self) -> bool:
        """Whether another picture may be read and sent."""
        held = sum(one.asked.nbytes for one in self.under_way)
        return len(self.under_way) < AHEAD and held < AHEAD_BYTES

    def send(self, job: J, asked: AskedDream, *, alone: bool = False) -> None:
        if self._client is None:
            self._client = ReconnectingClient(self._connect())
        dream = Dream(self._client, asked.request, *asked.frames)
        self.under_way.append(UnderWay(job, asked, dream, alone))

    def receive(self, timeout: float = WAIT) -> None:
        """Wait for a message; if the daemon is lost, everything under way fails."""
        assert self._client is not None
        try:
            self._client.feed_all([one.dream for one in self.under_way], timeout)
        except LinkError as error:
            self._client.close()
            self._client = None
            for one in self.under_way:
                if not one.dream.over:
                    one.dream.fail(f"{error} {UNWRITTEN}")

    def take_over(self) -> UnderWay[J] | None:
        """Take one that is over from what is under way; None if there is none."""
        over = next((one for one in self.under_way if one.dream.over), None)
        if over is not None:
            self.under_way.remove(over)
        return over

    def end(self) -> None:
        """Cancel what is under way, and close the connection."""
        if self._client is not None:
            for one in self.under_way:
                one.dream.cancel()
        end = time.monotonic() + CANCEL_WITHIN
        try:
            while self._client is not None and time.monotonic() < end:
                if all(one.dream.over for one in self.under_way):
                    break
                self.receive()
        finally:
            for one in self.under_way:
                one.job.close()
            if self._client is not None:
                self._client.close()
