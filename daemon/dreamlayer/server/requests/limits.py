"""Limits on a request, on a client and on all clients; each refusal names the setting.

They are checked by a request's header, before memory for its pixels is allocated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from dreamlayer.server.config.settings import MIB, SETTINGS, Settings, format_value, limit_hint
from dreamlayer.server.transport.outbox import UNREAD_BYTES
from dreamlayer.server.transport.principal import Peer, Principal, room, share
from dreamlink.picture import Picture
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import DreamRequest

MEGAPIXEL = 1_000_000
NOTHING: Mapping[Principal, int] = MappingProxyType({})


class LimitError(ValueError):
    """A request exceeds a limit; the text is one sentence that names the setting."""


class WaitingDream(Protocol):
    """A dream in the queue."""

    @property
    def lane(self) -> Peer: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def request(self) -> DreamRequest | LooksRequest: ...


class Limits:
    """Checks requests against the limits in the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check_size(self, picture: Picture, lengths: Sequence[int]) -> None:
        """Raise LimitError for a picture that is too large, regardless of other requests."""
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
        peer: Peer,
        request: DreamRequest | LooksRequest,
        nbytes: int,
        waiting: Sequence[WaitingDream],
        incoming: Mapping[Principal, int] = NOTHING,
    ) -> None:
        """Raise LimitError if too many dreams are waiting to add this one.

        Args:
            peer: the client that asks for the dream.
            request: its request.
            nbytes: bytes of its pixels.
            waiting: the dreams in the queue.
            incoming: bytes of requests that are still being received, by principal.
        """
        principal = peer.principal
        others = [job for job in waiting if not _is_replaced(job, peer, request)]
        dreams = Counter(job.lane.principal for job in others)
        if room(self._settings.waiting_max, principal, dreams) <= 0:
            raise LimitError(
                f"{dreams[principal]} dreams are already waiting: dream again when some are done;"
                f" {self._hint('waiting_max', principal)}."
            )
        own = sum(job.lane == peer for job in others)
        if own >= self._settings.waiting_max_client:
            raise LimitError(
                f"{own} dreams of this program are already waiting: dream again when some are done;"
                f" {limit_hint('waiting_max_client')}."
            )
        self.check_memory(peer, nbytes, others, incoming)

    def check_memory(
        self,
        peer: Peer,
        nbytes: int,
        others: Sequence[WaitingDream],
        incoming: Mapping[Principal, int],
    ) -> None:
        """Raise LimitError if the pixels of a request don't fit beside those that wait.

        Args:
            peer: the client that sends them.
            nbytes: how many bytes they have.
            others: the dreams in the queue that stay there.
            incoming: bytes of other requests, received or not, by principal.
        """
        principal = peer.principal
        held = Counter(incoming)
        for job in others:
            held[job.lane.principal] += job.nbytes
        left = room(self._settings.waiting_memory * MIB, principal, held)
        if nbytes > left and (held[principal] or not principal.is_local):
            raise LimitError(
                "The waiting pictures take all the memory that they may use,"
                f" {self._shown('waiting_memory')}: dream again when some are done;"
                f" {self._hint('waiting_memory', principal)}."
            )

    def check_unread(self, unread: int, nbytes: int, principal: Principal) -> None:
        """Raise LimitError if too many answers are left unread, as they take memory.

        Args:
            unread: how many wait for this program.
            nbytes: bytes of those that wait for any program of its principal.
        """
        if unread >= self._settings.waiting_max_client:
            raise LimitError(
                f"This program has not read {unread} answers that wait for it;"
                f" {limit_hint('waiting_max_client')}."
            )
        if nbytes > share(UNREAD_BYTES, principal):
            raise LimitError(
                f"{nbytes / MIB:.0f} MiB of answers have not been read yet: ask again when the"
                " program that they are for has read them."
            )

    def _hint(self, name: str, principal: Principal) -> str:
        guest = "" if principal.is_local else ", of which another computer may use a quarter"
        return limit_hint(name) + guest

    def _shown(self, name: str) -> str:
        return format_value(SETTINGS[name].name, getattr(self._settings, name))


def _is_replaced(job: WaitingDream, peer: Peer, request: DreamRequest | LooksRequest) -> bool:
    """Whether a waiting quick dream, or looks, would be replaced by newer ones of this client."""
    quick = request.quick and job.request.quick and type(job.request) is type(request)
    return quick and job.lane == peer
