"""A host's part, with the two questions that every fault is asked: is anything lost, does the
next call work?

The painter has a document, dreams as the command line and GIMP do, and puts what comes back on a
layer of its own. The fake studio turns every byte by one, so that a result can be told from any
other.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from dreamlink.client import launch
from dreamlink.client.client import LinkError
from dreamlink.client.reconnecting import ReconnectingClient
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, lost
from dreamlink.wire.messages import DreamRequest
from tests.server.daemons import FAKE, wait_until
from tests.server.fake_daemon import TURNED

SIDE = 16


class Painter:
    """A document, its layers, and a way to the daemon that `command` starts."""

    def __init__(self, command: Sequence[str] = FAKE, side: int = SIDE) -> None:
        self.picture = Picture(side, side, "U8", "RGB")
        self.document = bytearray(os.urandom(self.picture.nbytes))
        self.before = bytes(self.document)
        self.layers: list[bytes] = []
        self.command = command
        self.line: ReconnectingClient | None = None

    def connect(self) -> ReconnectingClient:
        """A new connection, to a daemon that is started if need be."""
        self.leave()
        self.line = ReconnectingClient(launch.connect(self.command))
        return self.line

    def leave(self) -> None:
        if self.line is not None:
            self.line.close()

    def begin(self, tiles: int = 1, **more: Any) -> Dream:
        """Ask for a dream of so many tiles; see `fake_daemon.py` for what else a number means."""
        recipe = Recipe.of({"channels": str(tiles)})
        request = DreamRequest(recipe, self.picture, self.picture.region, **more)
        return Dream(self.connect(), request, bytes(self.document))

    def follow(self, dream: Dream, until: Callable[[Dream], bool] = lambda d: d.over) -> Dream:
        """Take what comes, as a host does: what goes wrong ends the dream with a sentence."""
        line = self.line
        assert line is not None

        def moved() -> bool:
            try:
                line.feed(dream, 0.2)
            except LinkError as error:
                dream.fail(lost(str(error)))
            return until(dream) or dream.over

        wait_until(moved)
        if dream.state is State.DONE:
            assert dream.pixels is not None
            self.layers.append(bytes(dream.pixels))
        return dream

    def dream(self, tiles: int = 1, **more: Any) -> Dream:
        """A dream from beginning to end; what prevents its beginning is its failure."""
        try:
            return self.follow(self.begin(tiles, **more))
        except LinkError as error:
            request = DreamRequest(Recipe.of({}), self.picture, self.picture.region)
            dream = Dream(_Nobody(), request)
            dream.fail(str(error))
            return dream

    def nothing_is_lost(self, dream: Dream) -> None:
        """The document is as it was; the dream is there whole, or its failure is told."""
        assert bytes(self.document) == self.before
        if dream.state is State.DONE:
            assert self.layers == [self.before.translate(TURNED)]
        else:
            assert self.layers == []
            assert dream.state in (State.FAILED, State.CANCELLED)
            assert dream.text.strip().endswith((".", "again."))

    def next_call_works(self) -> None:
        self.layers.clear()
        dream = self.dream()
        assert dream.state is State.DONE, dream.text
        assert self.layers == [self.before.translate(TURNED)]
        self.leave()


class _Nobody:
    def send(self, header: Any, *frames: Any) -> None:
        """There is no daemon to send to."""


def told(painter: Painter, dream: Dream, *words: str) -> None:
    """Nothing is lost, the failure says these words, and the next call works."""
    assert dream.state is State.FAILED, dream.state
    for word in words:
        assert word in dream.text, dream.text
    painter.nothing_is_lost(dream)
    painter.next_call_works()


def dreamed(painter: Painter, dream: Dream) -> None:
    """The dream is there, nothing is lost, and the next call works."""
    assert dream.state is State.DONE, dream.text
    painter.nothing_is_lost(dream)
    painter.next_call_works()


def end_daemon(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 9)


def alive(pid: int) -> bool:
    """Whether a process, perhaps a child that nobody has waited for, still runs."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
