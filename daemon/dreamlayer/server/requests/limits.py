"""What one request, one client and all of them together may ask for; each refusal names a setting.

The header of a request is judged, before there is room for its pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dreamlayer.server.config.settings import MIB, SETTINGS, Settings, remedy, shown
from dreamlink.wire.messages import DreamRequest

MEGAPIXEL = 1_000_000


class LimitError(ValueError):
    """More than the settings allow; the text is one sentence that names the setting."""


class Waiting(Protocol):
    """A dream that waits for its turn."""

    @property
    def lane(self) -> bytes: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def request(self) -> DreamRequest: ...


class Limits:
    """The limits that the settings say."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check_size(self, request: DreamRequest, lengths: Sequence[int]) -> None:
        """Raise LimitError for a picture that is too large, whatever else is under way."""
        picture = request.picture
        if picture.width * picture.height > self._settings.pixels_max * MEGAPIXEL:
            raise LimitError(
                f"A picture of {picture.width} × {picture.height} pixels is larger than"
                f" {self._shown('pixels_max')}: {remedy('pixels_max')}."
            )
        if sum(lengths) > self._settings.message_max * MIB:
            raise LimitError(
                f"A request with {sum(lengths) / MIB:.1f} MiB of pixels is larger than"
                f" {self._shown('message_max')}: {remedy('message_max')}."
            )

    def check_room(
        self,
        peer: bytes,
        request: DreamRequest,
        nbytes: int,
        waiting: Sequence[Waiting],
        coming: int = 0,
    ) -> None:
        """Raise LimitError if too much waits already for one more dream.

        Args:
            peer: who asks for it.
            request: what is asked for.
            nbytes: of its pixels.
            waiting: the dreams that wait.
            coming: bytes of requests that are still being sent.
        """
        others = [job for job in waiting if not _replaced(job, peer, request)]
        if len(others) >= self._settings.waiting_max:
            raise LimitError(
                f"{len(others)} dreams are waiting already: dream again when some are done;"
                f" {remedy('waiting_max')}."
            )
        own = sum(job.lane == peer for job in others)
        if own >= self._settings.waiting_max_client:
            raise LimitError(
                f"{own} dreams of this program are waiting already: dream again when some are done;"
                f" {remedy('waiting_max_client')}."
            )
        held = coming + sum(job.nbytes for job in others)
        if held and held + nbytes > self._settings.waiting_memory * MIB:
            raise LimitError(
                "The pictures that are waiting take all the memory that they may,"
                f" {self._shown('waiting_memory')}: dream again when some are done;"
                f" {remedy('waiting_memory')}."
            )

    def check_unread(self, unread: int) -> None:
        """Raise LimitError if a client has left so many answers unread; they take memory."""
        if unread >= self._settings.waiting_max_client:
            raise LimitError(
                f"{unread} answers wait for this program to read them;"
                f" {remedy('waiting_max_client')}."
            )

    def _shown(self, name: str) -> str:
        return shown(SETTINGS[name].name, getattr(self._settings, name))


def _replaced(job: Waiting, peer: bytes, request: DreamRequest) -> bool:
    """Whether a quick dream makes way for a newer one of its client's."""
    return request.quick and job.request.quick and job.lane == peer
