"""One quick look at a dream, from the reduced pixels to the picture of it. No Qt here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dreamlink.client.client import LinkError
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest, Frame, Header

from ..document.source import Source
from .daemon_link import DaemonLink

SEED = 1  # in place of one that is drawn: then looks differ by their settings only


class Glimpse:
    """A listener of the link: shows each better picture, and says how it stands.

    Args:
        source: reduced `factor` times.
        show: gets the pictures.
        say: gets a line of text, empty when all is shown.
    """

    def __init__(
        self,
        link: DaemonLink,
        source: Source,
        factor: float,
        recipe: Recipe,
        show: Callable[[Picture, Frame], None],
        say: Callable[[str], None],
    ) -> None:
        self._link = link
        self._request = _request(source, factor, recipe)
        self._frames = source.frames()
        self._show = show
        self._say = say
        self._dream: Dream | None = None

    def start(self) -> None:
        self._link.open(self)

    def stop(self) -> None:
        """Nobody looks any more."""
        dream, self._dream = self._dream, None
        self._link.leave(self)
        try:
            if dream is not None:
                dream.cancel()
        except LinkError:
            pass  # then nobody dreams it

    def waiting(self, sentence: str) -> None:
        self._say(sentence)

    def connected(self) -> None:
        self._say("Taking a quick look…")
        try:
            self._dream = Dream(self._link, self._request, *self._frames)
        except LinkError as error:
            self.lost(str(error))

    def received(self, header: Header, frames: list[bytearray]) -> None:
        dream = self._dream
        if dream is None or not dream.receive(header, frames):
            return
        if dream.preview is not None:
            self._show(*dream.preview)
            dream.preview = None
        if not dream.over:
            self._say(dream.text)
            return
        if dream.pixels is not None:
            self._show(self._request.result, dream.pixels)
        self._end("" if dream.state is State.DONE else dream.text)

    def lost(self, reason: str) -> None:
        self._end(reason)

    def fail(self, reason: str) -> None:
        self._end(reason)

    def _end(self, text: str) -> None:
        self._dream = None
        self._frames = []
        self._link.leave(self)
        self._say(text)


def _request(source: Source, factor: float, recipe: Recipe) -> DreamRequest:
    """Lay the dream over the picture, not beside it: there is no layer below to show through."""
    small = replace(recipe, feather=recipe.feather / factor, seed=recipe.seed or SEED)
    side = max(source.region.width, source.region.height)
    asked = source.request(small, quick=True, reduced=factor, preview=side)
    return replace(asked, clip=False)
