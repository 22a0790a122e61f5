"""Asks the daemon what its networks see in a part of the picture. No Qt here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dreamlink.wire.messages import Header, MessageError
from dreamlink.wire.seeing import Seen, SeeRequest

from ...document.source import LayerSource
from ..daemon_link import DaemonLink

COUNT = 12  # rows of each list
ASKING = "Looking at the picture…"


class SeeingJob:
    """One question: a listener of the link until it is answered.

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
        selection = source.selection
        self._link = link
        self._request = SeeRequest(
            source.picture, source.region, selection is not None, count=COUNT
        )
        self._frames = [source.pixels, *([] if selection is None else [selection])]
        self._show = show
        self._say = say
        self._over = False

    def start(self) -> None:
        self._say(ASKING)
        self._link.open(self)

    def stop(self) -> None:
        """Nobody wants the answer any more."""
        if not self._over:
            self._end("")
            with contextlib.suppress(ConnectionError):  # then the daemon stops by itself
                self._link.send({"op": "cancel", "id": self._request.id})

    def waiting(self, sentence: str) -> None:
        self._say(sentence)

    def connected(self) -> None:
        self._link.send(self._request.header(), *self._frames)

    def received(self, header: Header, frames: list[bytearray]) -> None:
        if self._over or header.get("id") != self._request.id:
            return
        if header.get("op") != "seen":
            self._end(str(header.get("text", "")))
            return
        try:
            seen = Seen.of(header, frames)
        except MessageError as error:
            self._end(str(error))
            return
        self._end("")
        self._show(seen)

    def lost(self, reason: str) -> None:
        self._over = True
        self._say(reason)

    def fail(self, reason: str) -> None:
        self._end(reason)

    def _end(self, text: str) -> None:
        self._over = True
        self._link.leave(self)
        self._say(text)
