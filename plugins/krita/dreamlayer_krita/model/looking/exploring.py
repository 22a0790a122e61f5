"""A walk of Explore over Krita's link. What both hosts do alike is in `dreamlink`; no Qt here."""

from __future__ import annotations

from collections.abc import Callable

from dreamlink.recipe.recipe import Recipe, Value
from dreamlink.session.exploring.exploration import Exploration
from dreamlink.session.exploring.explorer import Explorer, LookSource
from dreamlink.session.inputs import Pixels
from dreamlink.session.seeing import ASKING
from dreamlink.wire.messages import Header

from ...document.source import LayerSource
from ..daemon_link import DaemonLink


class Exploring:
    """One walk, from the pixels on; a listener of the link while it waits for an answer.

    Args: as of `Explorer`.
    """

    def __init__(
        self,
        link: DaemonLink,
        seen: LayerSource,
        small: LayerSource,
        reduced: float,
        recipe: Recipe,
        changed: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._link = link
        self._explorer = Explorer(_pixels(seen), _pixels(small), reduced, recipe, changed, say)

    @property
    def walk(self) -> Exploration | None:
        """The nine cells; None until it is known what the networks see."""
        return self._explorer.walk

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a look, px."""
        return self._explorer.size

    def start(self) -> None:
        """Ask what the networks see."""
        self._explorer.say(ASKING)
        self._follow()

    def choose(self, index: int) -> None:
        """Make a cell the middle, with new neighbours."""
        self._explorer.choose(index)
        self._follow()

    def back(self) -> None:
        """To the middle before."""
        self._explorer.back()
        self._follow()

    def forward(self) -> None:
        """To the middle after."""
        self._explorer.forward()
        self._follow()

    def surprise(self) -> None:
        """To a middle far away."""
        self._explorer.surprise()
        self._follow()

    def chosen(self) -> dict[str, Value]:
        """The middle's values for the form; without those that have nothing to do with looks."""
        return self._explorer.chosen()

    def stop(self) -> None:
        """Nobody wants the looks any more: the daemon is told at once."""
        self._explorer.cancel()
        self._follow()

    # The link calls these.

    def waiting(self, sentence: str) -> None:
        self._explorer.say(sentence)

    def connected(self) -> None:
        self._explorer.send(self._link)

    def received(self, header: Header, frames: list[bytearray]) -> None:
        if self._explorer.receive(header, frames):
            self._follow()

    def lost(self, reason: str) -> None:
        self._explorer.fail(reason)

    def fail(self, reason: str) -> None:
        self._explorer.cancel()
        self._follow()
        self._explorer.fail(reason)

    def _follow(self) -> None:
        """Listen as long as there is something to ask or to wait for."""
        if self._explorer.unsent:
            self._link.open(self)
        elif self._explorer.over:
            self._link.leave(self)


def _pixels(source: LayerSource) -> LookSource:
    return LookSource(Pixels(source.picture, source.pixels), source.region, source.selection)
