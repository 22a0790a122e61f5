"""A dream under way, as the daemon keeps account of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dreamlink.messages import DreamRequest, Frame, Header


class Job:
    """A dream under way, from request to answer."""

    def __init__(self, peer: bytes, request: DreamRequest, frames: Sequence[Frame]) -> None:
        self.peer = peer
        self.request = request
        self.frames = frames
        self.state = "queued"
        self.fraction = 0.0
        self.cancelled = threading.Event()

    def describe(self) -> Header:
        return {"id": self.request.id, "state": self.state, "fraction": self.fraction}
