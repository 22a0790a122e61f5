"""The answer to each request of a greeted client (`plugins/link/PROTOCOL.md`).

This runs in the I/O thread; everything slow is left to the worker and the blender.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from dreamlayer.server.config.settings import Settings
from dreamlayer.server.jobs.blender import Blender
from dreamlayer.server.jobs.question import Question
from dreamlayer.server.jobs.queue import QueuedDream
from dreamlayer.server.jobs.results import LOST, ResultStore
from dreamlayer.server.jobs.scheduler import FINISHING, Scheduler
from dreamlayer.server.jobs.worker import WARM_UP, Worker
from dreamlayer.server.lifecycle import process
from dreamlayer.server.requests.limits import Limits
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.outbox import Outbox
from dreamlayer.server.transport.principal import Peer, Principal
from dreamlayer.studio.model_list import local_models
from dreamlink import VERSION
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import (
    KEPT_ID_MIN,
    BlendRequest,
    DreamRequest,
    Frame,
    Header,
    MessageError,
)
from dreamlink.wire.seeing import SeeRequest


class DaemonRequestHandler:
    """Has a method for each request; a `session.RequestHandler`.

    Args:
        outbox: sends the answers.
        connections: the fields of `status` about open and refused connections.

    Attributes:
        stopping: whether new dreams are refused.
    """

    def __init__(
        self,
        outbox: Outbox,
        scheduler: Scheduler,
        worker: Worker,
        results: ResultStore,
        blender: Blender,
        settings: Settings,
        connections: Callable[[Principal], Header],
    ) -> None:
        self.stopping = False
        self._send = outbox.send
        self._outbox = outbox
        self._scheduler = scheduler
        self._worker = worker
        self._results = results
        self._blender = blender
        self._limits = Limits(settings)
        self._is_remote = bool(settings.remote)
        self._connections = connections
        self._began = time.monotonic()
        self._requests: dict[str, Callable[[Peer, Header, Sequence[Frame]], None]] = {
            "dream": self._dream,
            "fetch": self._fetch,
            "received": self._received,
            "blend": self._blend,
            "cancel": self._cancel,
            "status": self._status,
            "models": self._models,
            "layers": self._layers,
            "see": self._see,
            "looks": self._looks,
        }

    @property
    def unfetched(self) -> int:
        """How many kept dreams have not been fetched: they are lost if the daemon ends."""
        return self._results.count

    def admit(
        self,
        peer: Peer,
        header: Header,
        lengths: Sequence[int],
        incoming: Mapping[Principal, int],
    ) -> None:
        """Check a request by its header, before its frames are received; raises ValueError."""
        if header["op"] not in ("dream", "looks", "see"):
            raise MessageError(f"The request {header['op']!r:.60} takes no pixels.")
        held = Counter(incoming) + self._scheduler.seeing_bytes()
        if header["op"] == "see":
            see = SeeRequest.announced(header, lengths)
            self._limits.check_size(see.picture, lengths)
            self._check_unread(peer)
            self._limits.check_memory(peer, sum(lengths), self._scheduler.waiting(), held)
            return
        self._check_not_stopping()
        kind = LooksRequest if header["op"] == "looks" else DreamRequest
        request = kind.announced(header, lengths)
        self._limits.check_size(request.picture, lengths)
        self._check_unread(peer)
        self._limits.check_capacity(peer, request, sum(lengths), self._scheduler.waiting(), held)

    def handle(self, peer: Peer, header: Header, frames: Sequence[Frame]) -> None:
        """Answer a request; raises MessageError for an unknown or invalid one."""
        op = header["op"]
        if op not in self._requests:
            raise MessageError(f"This daemon does not know the request {op!r:.60}.")
        self._requests[op](peer, header, frames)

    def _dream(self, peer: Peer, header: Header, frames: Sequence[Frame]) -> None:
        self._check_not_stopping()
        request = DreamRequest.of(header, frames)
        job = QueuedDream(peer, request, frames)
        self._limits.check_capacity(peer, request, job.nbytes, self._scheduler.waiting())
        if request.keep:
            self._results.reserve(peer.principal, request)
        try:
            self._submit(job)
        except MessageError:
            if request.keep:
                self._results.release(peer.principal, request.id)
            raise

    def _looks(self, peer: Peer, header: Header, frames: Sequence[Frame]) -> None:
        self._check_not_stopping()
        request = LooksRequest.of(header, frames)
        job = QueuedDream(peer, request, frames)
        self._limits.check_capacity(peer, request, job.nbytes, self._scheduler.waiting())
        self._submit(job)

    def _submit(self, job: QueuedDream) -> None:
        """Queue a dream and say so; raises MessageError for an id in use."""
        peer, request = job.peer, job.request
        ahead = self._scheduler.submit(job)
        self._send(Outgoing(peer, {"op": "queued", "id": request.id, "ahead": ahead}))
        ended = FINISHING if not ahead and self._scheduler.finishing else None
        if text := WARM_UP if self._worker.loading else ended:
            header = {"op": "progress", "id": request.id, "fraction": 0.0, "text": text}
            self._send(Outgoing(peer, header))

    def _check_unread(self, peer: Peer) -> None:
        outbox, principal = self._outbox, peer.principal
        unread_bytes = outbox.unread_bytes(principal)
        self._limits.check_unread(outbox.unread(peer), unread_bytes, principal)

    def _check_not_stopping(self) -> None:
        if self.stopping:
            raise MessageError("The Dreamlayer daemon is stopping: dream again in a moment.")

    def _fetch(self, peer: Peer, header: Header, _frames: Sequence[Frame]) -> None:
        """Attach a client that came back to its dream, or send the result if there is one."""
        if not peer.principal.is_local:  # who comes back asks for all at once, which may be much
            self._check_unread(peer)
        dream_id = header["id"]
        if len(dream_id) >= KEPT_ID_MIN and (  # a shorter one can be guessed
            self._scheduler.attach(peer, dream_id) or self._results.fetch(peer, dream_id)
        ):
            self._blender.attach(peer, dream_id)
            return
        self._send(Outgoing(peer, {"op": "error", "id": dream_id, "text": LOST, "lost": True}))

    def _received(self, peer: Peer, header: Header, _frames: Sequence[Frame]) -> None:
        self._results.received(peer, header["id"])

    def _blend(self, peer: Peer, header: Header, _frames: Sequence[Frame]) -> None:
        request = BlendRequest.read(header)
        self._check_unread(peer)
        self._blender.submit(peer, request)

    def _cancel(self, peer: Peer, header: Header, _frames: Sequence[Frame]) -> None:
        self._scheduler.cancel(peer, header["id"])

    def _status(self, peer: Peer, header: Header, _frames: Sequence[Frame]) -> None:
        """What the daemon does; a guest learns of others only how far their dreams are."""
        viewer = peer.principal
        answer = {
            "op": "status",
            "id": header["id"],
            "version": VERSION,
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._began, 1),
        }
        answer |= {**self._worker.status(viewer), **self._scheduler.status(viewer)}
        answer |= {**self._results.status(viewer), **self._blender.status(viewer)}
        answer |= self._connections(viewer)
        if viewer.is_local:
            answer["memory"] = process.memory()
        self._send(Outgoing(peer, answer))

    def _models(self, peer: Peer, header: Header, _frames: Sequence[Frame]) -> None:
        if self._is_remote:
            self._scheduler.ask(Question(peer, header["id"], None))
            return
        answer = {"op": "models", "id": header["id"], "models": local_models()}
        self._send(Outgoing(peer, answer))

    def _layers(self, peer: Peer, header: Header, _frames: Sequence[Frame]) -> None:
        model = header.get("model")
        if not isinstance(model, str):
            raise MessageError("The request names no model whose layers to list.")
        self._scheduler.ask(Question(peer, header["id"], model))

    def _see(self, peer: Peer, header: Header, frames: Sequence[Frame]) -> None:
        request = SeeRequest.of(header, frames)
        self._scheduler.ask(Question(peer, header["id"], see=request, frames=frames))
