"""The dialog's own connection to the daemon, for quick looks, run by the dialog's main loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

from gi.repository import GLib

from dreamlink.client.client import Client
from dreamlink.client.launch import PAUSE, connecting
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.quick_looks import QuickLooks
from dreamlink.wire.messages import DreamRequest, Frame

from ..call.guard import guarded

POLL_INTERVAL = 30  # milliseconds


class LookConnection:
    """Quick looks over a connection that is opened for the first one. Nothing here waits."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when `picture` or `text` has changed."""
        self._looks = QuickLooks(changed)
        self._client: Client | None = None
        self._connecting: Generator[str, None, Client] | None = None
        self._next_step = 0.0
        self._timer = 0

    @property
    def picture(self) -> tuple[Picture, Frame] | None:
        """Layout and pixels of the newest look; None before there was one."""
        return self._looks.picture

    @property
    def text(self) -> str:
        """What is under way or went wrong; "" when the look is what was asked for."""
        return self._looks.text

    def dream(self, request: DreamRequest, frames: list[Frame]) -> None:
        """Ask for another look; the one before is cancelled."""
        self._looks.ask(request, frames)
        self._start_polling()

    def blend(self, recipe: Recipe) -> bool:
        """Blend the look with its picture by another recipe; False if that takes a new dream."""
        if not self._looks.blend(recipe):
            return False
        self._start_polling()
        return True

    def cancel(self) -> None:
        """Stop what is under way."""
        self._looks.cancel()

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
        self._client = self._connecting = None
        self._timer = 0
        self._looks.forget()
        self._looks.say(text)

    def _start_polling(self) -> None:
        if not self._timer:
            self._timer = GLib.timeout_add(POLL_INTERVAL, self._poll)

    @guarded
    def _poll(self) -> bool:
        """Do what can be done at once; True as long as there is more to come."""
        if self._client is None:
            self._connect()
            return True
        self._looks.send(self._client)
        for message in self._client.read():
            self._looks.receive(*message)
        if not self._looks.busy:
            self._timer = 0
        return self._looks.busy

    def _connect(self) -> None:
        """One step on the way to the daemon, which is started if it does not run."""
        if time.monotonic() < self._next_step:
            return
        self._connecting = self._connecting or connecting()
        try:
            self._looks.say(next(self._connecting))
        except StopIteration as done:
            self._client, self._connecting = done.value, None
        self._next_step = time.monotonic() + PAUSE
