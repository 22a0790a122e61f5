"""Following the dreams of a call: progress for the caller, and its wish to cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from dreamlayer import daemon_client
from dreamlayer.api.errors import DreamCancelled
from dreamlayer.api.jobs import GivenJob
from dreamlayer.dreaming.in_turn import UnderWay
from dreamlink.client.client import Client

Progress = Callable[[float, str], object]  # takes a fraction from 0 to 1 and a line of text


class CancelFlag(Protocol):
    """`threading.Event`, or anything that can be asked."""

    def is_set(self) -> bool: ...


class Follower:
    """Tells the caller of the progress, and asks whether to cancel."""

    def __init__(
        self, progress: Progress | None, cancel: CancelFlag | None, total: int | None
    ) -> None:
        self.settled = 0  # how many pictures are
        self._progress = progress
        self._cancel = cancel
        self._total = total

    def connect(self) -> Client:
        return daemon_client.daemon(lambda sentence: self._tell(0.0, sentence))

    def watch(self, under_way: Sequence[UnderWay[GivenJob]]) -> None:
        current = under_way[0]
        if self._total is None:
            self._tell(current.fraction, current.text)
            return
        share = self.settled + sum(one.fraction for one in under_way)
        text = f"{self.settled + 1} of {self._total}: {current.text}"
        self._tell(share / self._total, text)

    def _tell(self, fraction: float, text: str) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise DreamCancelled("The dream was cancelled.")
        if self._progress is not None:
            self._progress(fraction, text)
