"""Quick looks at a dream: a newer one replaces the older one.

A change of `live` parameters only is blended and needs no new dream.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..picture import Picture
from ..recipe.recipe import PARAMETERS, Recipe
from ..wire.messages import DreamRequest, Frame, Header
from .dream import Blend, Dream, Sender, State

LOOKING = "Taking a quick look…"


class QuickLooks:
    """The newest quick look of a host's panel or dialog. Nothing here waits.

    The host calls `send` when there is a connection, and `receive` with each message.

    Attributes:
        picture: layout and pixels of the newest picture; None before there was one.
        text: what is under way or went wrong; "" when the picture is what was asked for.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called after each change of the attributes."""
        self.picture: tuple[Picture, Frame] | None = None
        self.text = ""
        self._changed = changed
        self._unsent: tuple[DreamRequest, list[Frame]] | None = None
        self._dream: Dream | None = None
        self._blend: Blend | None = None
        self._wanted: dict[str, Any] = {}  # the live parameters that were asked for last
        self._shown: dict[str, Any] = {}  # those of the picture

    @property
    def busy(self) -> bool:
        """Whether there is something to send or to wait for."""
        if self._unsent is not None or self._blend is not None:
            return True
        if self._dream is None:
            return False
        return not self._dream.over or self._needs_blend(self._dream)

    def ask(self, request: DreamRequest, frames: list[Frame]) -> None:
        """Ask for another look; the one before is cancelled."""
        self.cancel()
        self._unsent = request, frames
        self._wanted = live_parameters(request.recipe)
        self.say(LOOKING)

    def blend(self, recipe: Recipe) -> bool:
        """Blend the look with its picture by another recipe; False if that takes a new dream."""
        if self._dream is None and self._unsent is None:
            return False
        self._wanted = live_parameters(recipe)
        return True

    def cancel(self) -> None:
        """Stop what is under way; the daemon is told. The picture stays."""
        dream = self._dream
        self.forget()
        if dream is not None:
            with contextlib.suppress(ConnectionError):  # then the daemon stops by itself
                dream.cancel()

    def forget(self) -> None:
        """Give up what is under way without telling the daemon, e.g. after a lost connection."""
        self._unsent = self._dream = self._blend = None

    def say(self, text: str) -> None:
        """Show a sentence, e.g. of the connection that is waited for."""
        self.text = text
        self._changed()

    def send(self, sender: Sender) -> None:
        """Send what is to be sent. Raises ConnectionError as the sender does."""
        if self._unsent is not None:
            request, frames = self._unsent
            self._unsent = None
            self._dream = Dream(sender, request, *frames)
            self.say(LOOKING)
        dream = self._dream
        if dream is not None and self._blend is None and self._needs_blend(dream):
            dreamed = Recipe.of(dream.report["recipe"])
            self._blend = dream.blend(replace(dreamed, **self._wanted))

    def receive(self, header: Header, frames: list[bytearray]) -> bool:
        """Take a message of the daemon; False if it belongs to something else."""
        if self._blend is not None and self._blend.receive(header, frames):
            self._take_blend(self._blend)
        elif self._dream is not None and self._dream.receive(header, frames):
            self._take_dream(self._dream)
        else:
            return False
        return True

    def _needs_blend(self, dream: Dream) -> bool:
        return dream.state is State.DONE and self._wanted != self._shown

    def _take_dream(self, dream: Dream) -> None:
        if dream.pixels is not None:
            self._show(dream, dream.request.recipe, dream.pixels)
            return
        if dream.over:
            self._dream = None
        elif dream.preview is not None:
            self.picture = dream.preview
        self.say(dream.text)

    def _take_blend(self, blend: Blend) -> None:
        if not blend.over or self._dream is None:
            return
        self._blend = None
        if blend.pixels is not None:
            self._show(self._dream, blend.request.recipe, blend.pixels)
        elif blend.state is State.FAILED:
            self._dream = None  # the daemon may have dropped it: the next change dreams anew
            self.say(blend.text)

    def _show(self, dream: Dream, recipe: Recipe, pixels: Frame) -> None:
        self.picture = dream.request.result, pixels
        self._shown = live_parameters(recipe)
        self.say("")


def live_parameters(recipe: Recipe) -> dict[str, Any]:
    """The parameters that need no new dream, with their values."""
    return {name: getattr(recipe, name) for name, row in PARAMETERS.items() if row.live}
