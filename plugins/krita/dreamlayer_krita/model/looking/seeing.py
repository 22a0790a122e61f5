"""Asks the daemon what its networks see in a part of the picture. No Qt here."""

from __future__ import annotations

from collections.abc import Callable

from dreamlink.session.inputs import Pixels
from dreamlink.session.seeing import Seeing
from dreamlink.wire.messages import Header
from dreamlink.wire.seeing import Seen

from ...document.source import LayerSource
from ..daemon_link import DaemonLink


class SeeingJob:
    """One question: a listener of the link until it is over.

    Args:
        source: reduced, as for a quick look.
        show: gets the answer.
        say: gets the status; "" when there is an answer.
    """

    def __init__(
        self,
        link: DaemonLink,
        source: LayerSource,
        show: Callable[[Seen], None],
        say: Callable[[str], None],
    ) -> None:
        picture = Pixels(source.picture, source.pixels)
        self._link = link
        self._show = show
        self._say = say
        self._question = Seeing(picture, source.region, source.selection, self._changed)

    def start(self) -> None:
        self._say(self._question.text)
        self._link.open(self)

    def stop(self) -> None:
        """Nobody wants the answer any more."""
        self._question.cancel()

    def waiting(self, sentence: str) -> None:
        self._question.say(sentence)

    def connected(self) -> None:
        self._question.send(self._link)

    def received(self, header: Header, frames: list[bytearray]) -> None:
        self._question.receive(header, frames)

    def lost(self, reason: str) -> None:
        self._question.fail(reason)

    def fail(self, reason: str) -> None:
        self._question.fail(reason)
        self._say(reason)  # also if the answer could not be shown

    def _changed(self) -> None:
        question = self._question
        if question.over:
            self._link.leave(self)
        self._say(question.text)
        if question.seen is not None:
            self._show(question.seen)
