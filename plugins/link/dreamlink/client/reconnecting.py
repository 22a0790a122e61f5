"""A connection for front ends that wait, which is taken up again when it is lost in a dream."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..session.dream import Dream
from ..session.reconnection import ReconnectPolicy
from ..wire.messages import Frame
from .client import Client, LinkError
from .launch import PAUSE, returning


class Line:
    """What dreams are sent over, and followed on.

    A dream goes on in the daemon for a short time when its client has vanished: long enough to
    come back over a new connection.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._policy = ReconnectPolicy()

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        """Queue a message and write what the socket takes at once; `attend` tells of a loss."""
        self._client.send(header, *frames)

    def attend(self, dream: Dream, timeout: float) -> None:
        """Wait up to `timeout` seconds for a message, and feed the dream with it.

        Raises:
            LinkError: the connection is lost, and the daemon can't be found again.
        """
        try:
            message = self._client.receive(timeout)
        except LinkError as loss:
            self._take_up(dream, loss)
            return
        if message is not None:
            dream.receive(*message)

    def close(self) -> None:
        self._client.close()

    def _take_up(self, dream: Dream, loss: LinkError) -> None:
        if not self._policy.try_again():
            raise loss
        client = _returned()
        if client is None:
            raise loss
        self._client = client
        self._policy.connected()
        dream.resume()


def _returned() -> Client | None:
    """`returning` for those who may wait."""
    steps = returning()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            client: Client | None = done.value
            return client
        time.sleep(PAUSE)
