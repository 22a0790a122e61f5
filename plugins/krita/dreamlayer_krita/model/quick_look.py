"""One quick look at a dream, from the reduced pixels to the picture of it. No Qt here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dreamlink.client.client import LinkError
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.look_size import reduced_recipe
from dreamlink.session.quick_looks import QuickLooks
from dreamlink.wire.messages import DreamRequest, Frame, Header

from ..document.source import Source
from .daemon_link import DaemonLink


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
        self._shown: Frame | None = None  # the newest picture that `show` has got
        self._looks = QuickLooks(self._changed)

    def start(self) -> None:
        self._looks.ask(self._request, self._frames)
        self._frames = []
        self._link.open(self)

    def stop(self) -> None:
        """Nobody looks any more."""
        self._link.leave(self)
        self._looks.cancel()

    def waiting(self, sentence: str) -> None:
        self._say(sentence)

    def connected(self) -> None:
        try:
            self._looks.send(self._link)
        except LinkError as error:
            self.lost(str(error))

    def received(self, header: Header, frames: list[bytearray]) -> None:
        self._looks.receive(header, frames)

    def lost(self, reason: str) -> None:
        self._looks.forget()
        self._looks.say(reason)

    def fail(self, reason: str) -> None:
        self.lost(reason)

    def _changed(self) -> None:
        if not self._looks.busy:
            self._link.leave(self)
        picture = self._looks.picture
        if picture is not None and picture[1] is not self._shown:
            self._shown = picture[1]
            self._show(*picture)
        self._say(self._looks.text)


def _request(source: Source, factor: float, recipe: Recipe) -> DreamRequest:
    """Lay the dream over the picture, not beside it: there is no layer below to show through."""
    side = max(source.region.width, source.region.height)
    small = reduced_recipe(recipe, factor)
    asked = source.request(small, quick=True, reduced=factor, preview=side)
    return replace(asked, clip=False)
