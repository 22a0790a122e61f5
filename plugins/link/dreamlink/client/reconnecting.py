"""A blocking connection that is made anew when it is lost in the middle of a dream."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..session.dream import Dream
from ..session.reconnection import ReconnectPolicy
from ..wire.messages import Frame
from .client import Client, LinkError
from .launch import PAUSE, returning


class ReconnectingClient:
    """Sends dreams and feeds them with the daemon's messages.

    For front ends that may block: GIMP and the command line.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._policy = ReconnectPolicy()

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        """Queue a message and write what the socket takes at once; `feed` notices a loss."""
        self._client.send(header, *frames)

    def feed(self, dream: Dream, timeout: float) -> None:
        """`feed_all` for one dream."""
        self.feed_all((dream,), timeout)

    def feed_all(self, dreams: Sequence[Dream], timeout: float) -> None:
        """Wait up to `timeout` seconds for a message, and pass it to the dream that it belongs to.

        `dreams` are all that are under way over this connection.

        Raises:
            LinkError: the connection is lost, and the daemon can't be found again.
        """
        try:
            message = self._client.receive(timeout)
        except LinkError as loss:
            self._reconnect(dreams, loss)
            return
        if message is not None:
            any(dream.receive(*message) for dream in dreams)

    def close(self) -> None:
        self._client.close()

    def _reconnect(self, dreams: Sequence[Dream], loss: LinkError) -> None:
        if not self._policy.try_again():
            raise loss
        client = _find_daemon_again()
        if client is None:
            raise loss
        self._client = client
        self._policy.connected()
        for dream in dreams:
            if not dream.over:
                dream.resume()


def _find_daemon_again() -> Client | None:
    """`returning`, but blocking."""
    steps = returning()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            client: Client | None = done.value
            return client
        time.sleep(PAUSE)
