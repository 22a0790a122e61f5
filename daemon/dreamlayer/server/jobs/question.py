"""A question to the compute thread, which it answers between two tiles."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from dreamlayer.server.transport.principal import Peer
from dreamlink.wire.messages import Frame
from dreamlink.wire.seeing import SeeRequest


@dataclass(frozen=True, eq=False)
class Question:
    """A question answered between two tiles: about a model, or about a picture.

    Attributes:
        peer, id: who is answered, and the request's id.
        model: the network whose layers are asked for; None for the list of networks.
        see: the request to see a picture, or None.
        frames: its pixels.
        cancelled: set when the answer is no longer wanted.
    """

    peer: Peer
    id: str
    model: str | None = None
    see: SeeRequest | None = None
    frames: Sequence[Frame] = ()
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels."""
        return sum(memoryview(frame).nbytes for frame in self.frames)
