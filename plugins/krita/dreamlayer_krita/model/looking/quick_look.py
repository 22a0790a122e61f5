"""One quick look, from the reduced pixels to the preview. No Qt here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dreamlink.client.client import LinkError
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.look_size import reduced_recipe
from dreamlink.session.quick_looks import QuickLooks
from dreamlink.wire.messages import DreamRequest, Frame, Header

from ...document.source import LayerSource
from ..daemon_link import DaemonLink


class QuickLookJob:
    """A listener of the link that shows each better preview and a status line.

    Args:
        source: reduced by `factor`.
        show: gets the previews.
        say: gets the status; "" when the look is complete.
    """

    def __init__(
        self,
        link: DaemonLink,
        source: LayerSource,
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
        self._shown: Frame | None = None  # the last picture passed to `show`
        self._looks = QuickLooks(self._changed)

    def start(self) -> None:
        self._looks.ask(self._request, self._frames)
        self._frames = []
        self._link.open(self)

    def stop(self) -> None:
        """Cancel the look and stop listening."""
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


def _request(source: LayerSource, factor: float, recipe: Recipe) -> DreamRequest:
    """The request; without `clip`, since a preview has no layer below that could show through."""
    side = max(source.region.width, source.region.height)
    small = reduced_recipe(recipe, factor)
    request = source.request(small, quick=True, reduced=factor, preview=side)
    return replace(request, clip=False)
