"""Connecting to the daemon, and one dream from the request to its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from dreamlink.client.client import LinkError
from dreamlink.client.launch import PAUSE, connecting
from dreamlink.client.reconnecting import ReconnectingClient
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, lost

from ..call.errors import CallRefused, Cancelled
from ..layers.source import DrawableSource
from .progress import POLL_INTERVAL, ProgressDisplay

ProgressCallback = Callable[[Dream], None]
CANCEL_TIMEOUT = 5.0  # seconds for the daemon to confirm


def ignore_progress(_dream: Dream) -> None:
    """Do nothing with a dream's progress."""


def connect(progress: ProgressDisplay) -> ReconnectingClient:
    """Find the daemon or start it, and show progress meanwhile.

    Raises:
        LinkError: it can't be reached.
        Cancelled: the user cancelled.
    """
    steps = connecting()
    while True:
        try:
            progress.show(0.0, next(steps))
        except StopIteration as done:
            return ReconnectingClient(done.value)
        progress.wait(PAUSE)
        if progress.cancelled:
            raise Cancelled


def dream(
    client: ReconnectingClient,
    source: DrawableSource,
    recipe: Recipe,
    progress: ProgressDisplay,
    on_progress: ProgressCallback = ignore_progress,
    **fields: Any,
) -> Dream:
    """Dream on one layer to the end; the finished dream has the pixels.

    `on_progress` is called again and again with the dream; `fields` are further fields of the
    request.

    Raises:
        CallRefused: the daemon refused, failed or was lost, or the layer was removed.
        Cancelled: the user cancelled.
    """
    try:
        dream = _send_request(client, source, recipe, **fields)
        try:
            _follow(client, dream, source, progress, on_progress)
        except CallRefused:
            with contextlib.suppress(LinkError):
                dream.cancel()  # else the daemon would wait for us to reconnect
            raise
    except LinkError as error:
        raise CallRefused(lost(str(error))) from error
    if dream.state is not State.DONE:
        raise CallRefused(dream.text)
    return dream


def _send_request(
    client: ReconnectingClient, source: DrawableSource, recipe: Recipe, **fields: Any
) -> Dream:
    """Send the request; the pixels that were read for it can be freed when they are sent."""
    request, frames = source.request(recipe, **fields)
    return Dream(client, request, *frames)


def _follow(
    client: ReconnectingClient,
    dream: Dream,
    source: DrawableSource,
    progress: ProgressDisplay,
    on_progress: ProgressCallback,
) -> None:
    """Wait for the dream's end, unless the user cancels or the image or layer is gone."""
    while not dream.over:
        progress.show(dream.fraction, dream.text)
        on_progress(dream)
        if progress.cancelled:
            _cancel(client, dream, progress)
        source.check_still_there()
        client.feed(dream, POLL_INTERVAL)


def _cancel(client: ReconnectingClient, dream: Dream, progress: ProgressDisplay) -> None:
    dream.cancel()
    end = time.monotonic() + CANCEL_TIMEOUT
    while not dream.over and time.monotonic() < end:
        progress.show(dream.fraction, dream.text)
        client.feed(dream, POLL_INTERVAL)
    # Also if the dream finished first or the daemon is too slow: closing the connection stops it.
    raise Cancelled
