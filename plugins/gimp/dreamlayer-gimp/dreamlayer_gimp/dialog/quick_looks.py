"""Quick dreams on a connection of their own, one replacing the other, in the dialog's main loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from gi.repository import GLib

from dreamlink.client.client import Client
from dreamlink.client.launch import PAUSE, connecting
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import PARAMETERS, Recipe
from dreamlink.session.dream import Blend, Dream, State
from dreamlink.wire.messages import DreamRequest, Frame

from ..call.guard import guarded

TURN = 30  # milliseconds between two looks at the connection
DREAMING = "Dreaming…"


class Looks:
    """What the daemon makes of the newest request. Nothing here waits.

    Attributes:
        picture: layout and pixels of the newest look; None before there was one.
        text: what is under way or went wrong, "" when the look is what was asked for.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.picture: tuple[Picture, Frame] | None = None
        self.text = ""
        self._changed = changed
        self._client: Client | None = None
        self._connecting: Generator[str, None, Client] | None = None
        self._next_step = 0.0
        self._asked: tuple[DreamRequest, list[Frame]] | None = None  # not sent yet
        self._dream: Dream | None = None
        self._blend: Blend | None = None
        self._wanted: dict[str, Any] = {}  # the live parameters that were asked for last
        self._shown: dict[str, Any] = {}  # those of the picture
        self._timer = 0

    def dream(self, request: DreamRequest, frames: list[Frame]) -> None:
        """Ask for another look; the one before is cancelled."""
        self.cancel()
        self._asked = request, frames
        self._wanted = live(request.recipe)
        self._say(DREAMING)
        self._watch()

    def blend(self, recipe: Recipe) -> bool:
        """Lay the look over its picture as the recipe says; False if it has to be dreamed anew."""
        over = self._dream.state if self._dream is not None else None
        if over in (State.FAILED, State.CANCELLED) or not (self._dream or self._asked):
            return False
        self._wanted = live(recipe)
        self._watch()
        return True

    def cancel(self) -> None:
        """Stop what is under way."""
        if self._dream is not None and self._client is not None:
            self._dream.cancel()
        self._asked = self._dream = self._blend = None

    def close(self) -> None:
        """End the connection, and with it what is under way."""
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0
        if self._connecting is not None:
            self._connecting.close()
        self.cancel()  # else the daemon would wait for us to come back
        if self._client is not None:
            self._client.close()

    def fail(self, text: str) -> None:
        """Give up what is under way, with a sentence; the next request begins anew."""
        if self._client is not None:
            self._client.close()
        self._client = self._connecting = self._asked = self._dream = self._blend = None
        self._timer = 0
        self._say(text)

    def _say(self, text: str) -> None:
        self.text = text
        self._changed()

    def _watch(self) -> None:
        if not self._timer:
            self._timer = GLib.timeout_add(TURN, self._turn)

    @guarded
    def _turn(self) -> bool:
        """Do what can be done at once; True as long as there is more to come."""
        if self._client is None:
            self._connect()
            return True
        self._send(self._client)
        for message in self._client.read():
            if self._blend is not None and self._blend.receive(*message):
                self._take_blend(self._blend)
            elif self._dream is not None and self._dream.receive(*message):
                self._take_dream(self._dream)
        busy = self._under_way()
        if not busy:
            self._timer = 0
        return busy

    def _connect(self) -> None:
        """One step on the way to the daemon, which is started if it does not run."""
        if time.monotonic() < self._next_step:
            return
        self._connecting = self._connecting or connecting()
        try:
            self._say(next(self._connecting))
        except StopIteration as done:
            self._client, self._connecting = done.value, None
        self._next_step = time.monotonic() + PAUSE

    def _send(self, client: Client) -> None:
        if self._asked is not None:
            request, frames = self._asked
            self._dream, self._asked = Dream(client, request, *frames), None
            self._say(DREAMING)
        dream = self._dream
        if dream is not None and dream.state is State.DONE and self._blend is None:
            used = Recipe.of(dream.report["recipe"])
            if self._wanted != self._shown:
                self._blend = dream.blend(replace(used, **self._wanted))

    def _take_dream(self, dream: Dream) -> None:
        if dream.pixels is not None:
            self._show(dream, dream.request.recipe, dream.pixels)
        elif dream.state is State.FAILED:
            self._say(dream.text)
        elif dream.preview is not None:
            self.picture = dream.preview
            self._changed()
        elif dream.fraction == 0.0:  # it waits, or its network is loaded
            self._say(dream.text)

    def _take_blend(self, blend: Blend) -> None:
        if not blend.over or self._dream is None:
            return
        self._blend = None
        if blend.pixels is not None:
            self._show(self._dream, blend.request.recipe, blend.pixels)
        elif blend.state is State.FAILED:
            self._dream = None  # perhaps it is kept no longer: the next change dreams anew
            self._say(blend.text)

    def _show(self, dream: Dream, recipe: Recipe, pixels: Frame) -> None:
        self.picture = dream.request.result, pixels
        self._shown = live(recipe)
        self._say("")

    def _under_way(self) -> bool:
        if self._asked is not None or self._blend is not None:
            return True
        if self._dream is None:
            return False
        unblended = self._dream.state is State.DONE and self._wanted != self._shown
        return unblended or not self._dream.over


def live(recipe: Recipe) -> dict[str, Any]:
    """The parameters that need no new dream."""
    return {name: getattr(recipe, name) for name, row in PARAMETERS.items() if row.live}
