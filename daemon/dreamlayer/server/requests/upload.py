"""Puts pixels together that arrive in chunks behind their header (`dreamlink/wire/chunks.py`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dreamlayer.runtime.allocator import mapped
from dreamlink.wire.messages import Frame, Header, MessageError

STALLED_AFTER = 60.0  # seconds without a piece


class LostPieces(MessageError):
    """Pieces that don't fit what was announced.

    Attributes:
        request_id: of the request that this ends, or "".
    """

    def __init__(self, text: str, request_id: str) -> None:
        super().__init__(text)
        self.request_id = request_id


@dataclass
class _Upload:
    """A request whose pixels are on their way, into memory that is only touched as they come."""

    header: Header
    frames: list[memoryview]
    heard: float  # when a piece came last
    frame: int = field(default=0, init=False)
    at: int = field(default=0, init=False)

    @property
    def whole(self) -> bool:
        while self.frame < len(self.frames) and self.at == len(self.frames[self.frame]):
            self.frame, self.at = self.frame + 1, 0
        return self.frame == len(self.frames)

    def add(self, piece: memoryview) -> bool:
        """Put a piece in its place; False if there is no room for it."""
        if self.whole or self.at + len(piece) > len(self.frames[self.frame]):
            return False
        self.frames[self.frame][self.at : self.at + len(piece)] = piece
        self.at += len(piece)
        return True


class Intake:
    """What is on its way from each connection: one request at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uploads: dict[bytes, _Upload | None] = {}  # None: what comes is not wanted

    @property
    def nbytes(self) -> int:
        """Bytes that are announced and not yet whole."""
        uploads = [upload for upload in self._uploads.values() if upload is not None]
        return sum(len(frame) for upload in uploads for frame in upload.frames)

    def expect(self, peer: bytes, header: Header, lengths: Sequence[int]) -> None:
        """Make room for the pixels of a request; MemoryError if there is none."""
        frames = [_memory(length) for length in lengths]
        self._uploads[peer] = _Upload(header, frames, self._clock())

    def stalled(self) -> list[tuple[bytes, str]]:
        """The connections, and ids of their requests, whose pixels have stopped coming."""
        late = self._clock() - STALLED_AFTER
        return [
            (peer, upload.header["id"])
            for peer, upload in self._uploads.items()
            if upload is not None and upload.heard < late
        ]

    def refuse(self, peer: bytes) -> None:
        """Let what follows the header that was just read fall: its request was refused."""
        self._uploads[peer] = None

    def cut_short(self, peer: bytes) -> str | None:
        """A new header came: the id of the request whose pixels are missing, if there is one."""
        upload = self._uploads.pop(peer, None)
        return None if upload is None else str(upload.header["id"])

    def add(self, peer: bytes, piece: Frame) -> bool:
        """Take a piece; whether it is wanted. Raises LostPieces if it fits nowhere."""
        if peer not in self._uploads:
            self.refuse(peer)
            raise LostPieces("Pixels came that no request had announced.", "")
        upload = self._uploads[peer]
        if upload is None:
            return False
        if not upload.add(memoryview(piece)):
            self.refuse(peer)
            raise LostPieces("More pixels came than were announced.", upload.header["id"])
        upload.heard = self._clock()
        return True

    def take(self, peer: bytes) -> tuple[Header, list[memoryview]] | None:
        """The request with its frames, as soon as they are whole."""
        upload = self._uploads.get(peer)
        if upload is None or not upload.whole:
            return None
        del self._uploads[peer]
        return upload.header, upload.frames

    def forget(self, peer: bytes) -> None:
        """Let go what a connection that has ended had begun to send."""
        self._uploads.pop(peer, None)


def _memory(length: int) -> memoryview:
    """Bytes to be written; unlike a bytearray's they take no room before that, nor afterwards."""
    if not length:
        return memoryview(bytearray())
    try:
        return memoryview(mapped(length))
    except (OSError, ValueError, OverflowError) as error:
        raise MemoryError(f"no room for {length} bytes") from error
