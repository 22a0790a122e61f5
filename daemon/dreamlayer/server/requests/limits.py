"""Limits on a request, on a client and on all clients; each refusal names the setting.

They are checked by a request's header, before memory for its pixels is allocated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dreamlayer.server.config.settings import MIB, SETTINGS, Settings, format_value, limit_hint
from dreamlink.wire.messages import DreamRequest

MEGAPIXEL = 1_000_000


class LimitError(ValueError):
    """A request exceeds a limit; the text is one sentence that names the setting."""


class WaitingDream(Protocol):
    """A dream in the queue."""

    @property
    def lane(self) -> bytes: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def request(self) -> DreamRequest: ...


class Limits:
    """Checks requests against the limits in the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check_size(self, request: DreamRequest, lengths: Sequence[int]) -> None:
        """Raise LimitError for a picture that is too large, regardless of other requests."""
        picture = request.picture
        if picture.width * picture.height > self._settings.pixels_max * MEGAPIXEL:
            raise LimitError(
                f"A picture of {picture.width} × {picture.height} pixels is larger than"
                f" {self._shown('pixels_max')}: {limit_hint('pixels_max')}."
            )
        if sum(lengths) > self._settings.message_max * MIB:
            raise LimitError(
                f"A request with {sum(lengths) / MIB:.1f} MiB of pixels is larger than"
                f" {self._shown('message_max')}: {limit_hint('message_max')}."
            )

    def check_capacity(
        self,
        peer: bytes,
        request: DreamRequest,
        nbytes: int,
        waiting: Sequence[WaitingDream],
        incoming: int = 0,
    ) -> None:
        """Raise LimitError if too many dreams are waiting to add this one.

        Args:
            peer: the client that asks for the dream.
            request: its request.
            nbytes: bytes of its pixels.
            waiting: the dreams in the queue.
            incoming: bytes of requests that are still being received.
        """
        others = [job for job in waiting if not _is_replaced(job, peer, request)]
        if len(others) >= self._settings.waiting_max:
            raise LimitError(
                f"{len(others)} dreams are already waiting: dream again when some are done;"
                f" {limit_hint('waiting_max')}."
            )
        own = sum(job.lane == peer for job in others)
        if own >= self._settings.waiting_max_client:
            raise LimitError(
                f"{own} dreams of this program are already waiting: dream again when some are done;"
                f" {limit_hint('waiting_max_client')}."
            )
        held = incoming + sum(job.nbytes for job in others)
        if held and held + nbytes > self._settings.waiting_memory * MIB:
            raise LimitError(
                "The waiting pictures take all the memory that they may use,"
                f" {self._shown('waiting_memory')}: dream again when some are done;"
                f" {limit_hint('waiting_memory')}."
            )

    def check_unread(self, unread: int) -> None:
        """Raise LimitError if a client leaves too many answers unread, as they take memory."""
        if unread >= self._settings.waiting_max_client:
            raise LimitError(
                f"This program has not read {unread} answers that wait for it;"
                f" {limit_hint('waiting_max_client')}."
            )

    def _shown(self, name: str) -> str:
        return format_value(SETTINGS[name].name, getattr(self._settings, name))


def _is_replaced(job: WaitingDream, peer: bytes, request: DreamRequest) -> bool:
    """Whether a waiting quick dream would be replaced by a newer one of the same client."""
    return request.quick and job.request.quick and job.lane == peer
