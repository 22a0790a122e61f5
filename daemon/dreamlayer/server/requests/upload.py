"""Assembles pixels that arrive in pieces after their header (`dreamlink/wire/chunks.py`)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dreamlayer.runtime.allocator import mapped
from dreamlayer.server.transport.principal import Peer, Principal
from dreamlink.wire.messages import Frame, Header, MessageError

STALLED_AFTER = 60.0  # seconds without a piece


class UnexpectedPixels(MessageError):
    """Pixels that were not announced.

    Attributes:
        request_id: of the request that fails because of this, or "".
    """

    def __init__(self, text: str, request_id: str) -> None:
        super().__init__(text)
        self.request_id = request_id


@dataclass
class _Upload:
    """A request whose pixels are arriving; its memory is allocated but not touched before."""

    header: Header
    frames: list[memoryview]
    heard: float  # when the last piece arrived
    frame: int = field(default=0, init=False)
    offset: int = field(default=0, init=False)  # bytes of the current frame

    @property
    def complete(self) -> bool:
        while self.frame < len(self.frames) and self.offset == len(self.frames[self.frame]):
            self.frame, self.offset = self.frame + 1, 0
        return self.frame == len(self.frames)

    def add(self, piece: memoryview) -> bool:
        """Append a piece; False if it exceeds what was announced."""
        if self.complete or self.offset + len(piece) > len(self.frames[self.frame]):
            return False
        self.frames[self.frame][self.offset : self.offset + len(piece)] = piece
        self.offset += len(piece)
        return True


class Uploads:
    """The upload in progress of each connection; a connection has one at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uploads: dict[Peer, _Upload | None] = {}  # None: its pieces are ignored

    @property
    def used(self) -> Counter[Principal]:
        """Bytes announced by uploads that are not complete yet, by principal."""
        used: Counter[Principal] = Counter()
        for peer, upload in self._uploads.items():
            if upload is not None:
                used[peer.principal] += sum(len(frame) for frame in upload.frames)
        return used

    def expect(self, peer: Peer, header: Header, lengths: Sequence[int]) -> None:
        """Allocate memory for the pixels of a request; raises MemoryError."""
        frames = [_memory(length) for length in lengths]
        self._uploads[peer] = _Upload(header, frames, self._clock())

    def stalled(self) -> list[tuple[Peer, str]]:
        """Connections that have stopped sending, and the ids of their requests."""
        late = self._clock() - STALLED_AFTER
        return [
            (peer, upload.header["id"])
            for peer, upload in self._uploads.items()
            if upload is not None and upload.heard < late
        ]

    def refuse(self, peer: Peer) -> None:
        """Ignore the pieces that follow a refused request."""
        self._uploads[peer] = None

    def interrupt(self, peer: Peer) -> str | None:
        """End an upload because a new header arrived; the id of the incomplete request, if any."""
        upload = self._uploads.pop(peer, None)
        return None if upload is None else str(upload.header["id"])

    def add(self, peer: Peer, piece: Frame) -> bool:
        """Add a piece to its upload; False if pieces are ignored. Raises UnexpectedPixels."""
        if peer not in self._uploads:
            self.refuse(peer)
            raise UnexpectedPixels("Pixels arrived that no request had announced.", "")
        upload = self._uploads[peer]
        if upload is None:
            return False
        if not upload.add(memoryview(piece)):
            self.refuse(peer)
            raise UnexpectedPixels("More pixels arrived than were announced.", upload.header["id"])
        upload.heard = self._clock()
        return True

    def take_complete(self, peer: Peer) -> tuple[Header, list[memoryview]] | None:
        """Remove and return the request with its frames; None until they are complete."""
        upload = self._uploads.get(peer)
        if upload is None or not upload.complete:
            return None
        del self._uploads[peer]
        return upload.header, upload.frames

    def forget(self, peer: Peer) -> None:
        """Discard the upload of a connection that has ended."""
        self._uploads.pop(peer, None)


def _memory(length: int) -> memoryview:
    """Zero bytes that take memory only once written, and return it when freed."""
    if not length:
        return memoryview(bytearray())
    try:
        return memoryview(mapped(length))
    except (OSError, ValueError, OverflowError) as error:
        raise MemoryError(f"no room for {length} bytes") from error
