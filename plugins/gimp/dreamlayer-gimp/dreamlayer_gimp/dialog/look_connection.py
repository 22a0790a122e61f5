"""The dialog's own connection to the daemon: quick looks, what is seen, Explore, lists of names.

The dialog's main loop runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from gi.repository import GLib

from dreamlink.client.client import Client
from dreamlink.client.launch import PAUSE, connecting
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Sender
from dreamlink.session.quick_looks import QuickLooks
from dreamlink.wire.messages import DreamRequest, Frame, Header, new_id

from ..call.guard import guarded

POLL_INTERVAL = 30  # milliseconds


@dataclass
class ListQuestion:
    """A request with one answer, and what takes it."""

    request: Header
    answered: Callable[[Header], None]
    sent: bool = False


class WindowQuestion(Protocol):
    """What a window beside the dialog asks: `Seeing`, `Explorer`."""

    @property
    def over(self) -> bool: ...

    def send(self, sender: Sender) -> None: ...

    def receive(self, header: Header, frames: list[bytearray]) -> bool: ...

    def say(self, text: str, /) -> None: ...

    def fail(self, text: str) -> None: ...

    def cancel(self) -> None: ...


class LookConnection:
    """Quick looks over a connection that is opened for the first one. Nothing here waits.

    The windows beside the dialog ask over the same connection, and open it, too. So do questions
    for names; no connection is opened for them.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when `picture` or `text` has changed."""
        self._looks = QuickLooks(changed)
        self._client: Client | None = None
        self._windows: dict[str, WindowQuestion] = {}  # what each asks, by its name
        self._questions: dict[str, ListQuestion] = {}  # by their ops
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

    def ask(self, request: Header, answered: Callable[[Header], None]) -> None:
        """Ask when there is a connection; an earlier question with the same op is dropped."""
        self._questions[request["op"]] = ListQuestion({**request, "id": new_id()}, answered)
        if self._client is not None:
            self._start_polling()

    def follow(self, window: str, question: WindowQuestion) -> None:
        """Ask what a window wants to know; its earlier question is cancelled.

        A question that goes on is followed again.
        """
        earlier = self._windows.get(window)
        if earlier is not None and earlier is not question:
            earlier.cancel()
        self._windows[window] = question
        self._start_polling()

    def cancel(self) -> None:
        """Stop the look that is under way."""
        self._looks.cancel()

    def close(self) -> None:
        """End the connection, and with it what is under way."""
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0
        if self._connecting is not None:
            self._connecting.close()
        self.cancel()  # else the daemon would wait for us to come back
        for question in self._windows.values():
            question.cancel()
        if self._client is not None:
            self._client.close()

    def fail(self, text: str) -> None:
        """Give up what is under way, with a sentence; the next request begins anew."""
        if self._client is not None:
            self._client.close()
        self._client = self._connecting = None
        self._timer = 0
        for question in self._questions.values():
            question.sent = False  # the next connection asks again
        looked, asked = self._looks.busy, self._asking
        self._looks.forget()
        if looked or not asked:
            self._looks.say(text)
        for waiting in asked:
            waiting.fail(text)

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
        self._send_questions(self._client)
        for header, frames in self._client.read():
            if not self._looks.receive(header, frames):
                self._take_answer(header, frames)
        if not self._busy:
            self._timer = 0
        return bool(self._timer)

    @property
    def _busy(self) -> bool:
        """Whether there is something to send or to wait for."""
        return self._looks.busy or bool(self._asking) or bool(self._questions)

    @property
    def _asking(self) -> list[WindowQuestion]:
        """The windows' questions whose answers are waited for."""
        return [question for question in self._windows.values() if not question.over]

    def _send_questions(self, client: Client) -> None:
        for asked in self._asking:
            asked.send(client)
        for question in self._questions.values():
            if not question.sent:
                client.send(question.request)
                question.sent = True

    def _take_answer(self, header: Header, frames: list[bytearray]) -> None:
        if any(asked.receive(header, frames) for asked in self._asking):
            return
        for op, question in list(self._questions.items()):
            if question.request["id"] == header.get("id"):
                del self._questions[op]
                question.answered(header)

    def _connect(self) -> None:
        """One step on the way to the daemon, which is started if it does not run."""
        if time.monotonic() < self._next_step:
            return
        self._connecting = self._connecting or connecting()
        try:
            self._wait(next(self._connecting))
        except StopIteration as done:
            self._client, self._connecting = done.value, None
        self._next_step = time.monotonic() + PAUSE

    def _wait(self, sentence: str) -> None:
        """Say what is waited for, to those who wait."""
        if self._looks.busy:
            self._looks.say(sentence)
        for asked in self._asking:
            asked.say(sentence)
