"""One call's conversation with the daemon, whatever the layers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from dreamlink.client.client import LinkError
from dreamlink.client.launch import PAUSE, connecting
from dreamlink.client.reconnecting import Line
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, lost

from ..call.errors import Cancelled, Refused
from ..layers.source import Source
from .progress import TURN, Progress

Watch = Callable[[Dream], None]
PATIENCE = 5.0  # seconds that the daemon may take to confirm a cancel


def ignore(_dream: Dream) -> None:
    """Watch nothing."""


def connect(progress: Progress) -> Line:
    """Find the daemon or start it, showing that this takes a while.

    Raises:
        LinkError: it can't be reached.
        Cancelled: the user does not want to wait.
    """
    steps = connecting()
    while True:
        try:
            progress.show(0.0, next(steps))
        except StopIteration as done:
            return Line(done.value)
        progress.wait(PAUSE)
        if progress.cancelled:
            raise Cancelled


def dream(
    line: Line,
    source: Source,
    recipe: Recipe,
    progress: Progress,
    watch: Watch = ignore,
    **more: Any,
) -> Dream:
    """Dream on one layer, to the end; the answer has its pixels.

    `watch` is told again and again how the dream stands; `more` are other fields of the request.

    Raises:
        Refused: the daemon refused or failed, went away, or the layer did.
        Cancelled: the user wanted so.
    """
    try:
        dream = _ask(line, source, recipe, **more)
        try:
            _follow(line, dream, source, progress, watch)
        except Refused:
            with contextlib.suppress(LinkError):
                dream.cancel()  # the daemon would wait for us to come back
            raise
    except LinkError as error:
        raise Refused(lost(str(error))) from error
    if dream.state is not State.DONE:
        raise Refused(dream.text)
    return dream


def _ask(line: Line, source: Source, recipe: Recipe, **fields: Any) -> Dream:
    """Send the request; what was read for it is free again as soon as it is sent."""
    request, frames = source.request(recipe, **fields)
    return Dream(line, request, *frames)


def _follow(line: Line, dream: Dream, source: Source, progress: Progress, watch: Watch) -> None:
    """Wait for the dream's end, as long as somebody wants it and it has a place."""
    while not dream.over:
        progress.show(dream.fraction, dream.text)
        watch(dream)
        if progress.cancelled:
            _cancel(line, dream, progress)
        source.check_still_there()
        line.attend(dream, TURN)


def _cancel(line: Line, dream: Dream, progress: Progress) -> None:
    dream.cancel()
    end = time.monotonic() + PATIENCE
    while not dream.over and time.monotonic() < end:
        progress.show(dream.fraction, dream.text)
        line.attend(dream, TURN)
    raise Cancelled  # also if the dream was quicker, or the daemon too slow: closing stops it
