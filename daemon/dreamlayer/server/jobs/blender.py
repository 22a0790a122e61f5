"""Keeps the latest finished dreams and blends them with their pictures again, in a thread.

A blend takes a few hundredths of a second and is requested while the user moves a slider. It has
its own thread so that it need not wait for a dream.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from dreamlayer.server.config.settings import limit_hint
from dreamlayer.server.jobs.error_text import sentence
from dreamlayer.server.jobs.turns import Turns
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.principal import Peer, Principal, room, share
from dreamlayer.studio.protocol import DreamOverlay
from dreamlink.wire.messages import BlendRequest, Frame, Header, MessageError

log = logging.getLogger(__name__)

FORGOTTEN = (
    "This dream is no longer kept, so it can't be changed afterwards: dream again"
    f" ({limit_hint('keep_memory')})."
)
WAITING_MAX = 64  # blends of different dreams that wait
KEPT_MAX = 256  # dreams; their overhead beyond pixels is not counted, so there is a limit


class Blender:
    """Keeps the most recently used dreams within a memory limit, and blends them in a thread.

    Args:
        post: sends an answer.
        log_place: where the log is, for error messages.
        limit: bytes that finished dreams of the local user may take; 0: none are kept.
    """

    def __init__(self, post: Callable[[Outgoing], None], log_place: str, limit: int) -> None:
        self._post = post
        self._log_place = log_place
        self._limit = limit
        self._changed = threading.Condition()  # guards the following attributes
        # By peer and id; the most recently used is last.
        self._kept: dict[tuple[Peer, str], DreamOverlay] = {}
        self._queue: Turns[Principal, tuple[Peer, BlendRequest]] = Turns()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="blend", daemon=True)
        self._thread.start()

    # For the compute thread.

    def keep(self, peer: Peer, dream_id: str, overlay: DreamOverlay) -> None:
        """Keep a finished dream, unless it is too large, and drop older ones beyond the limit.

        Only dreams of the same principal are dropped for it.
        """
        principal = peer.principal
        if overlay.nbytes > share(self._limit, principal):
            return
        with self._changed:
            self._kept[peer, dream_id] = overlay
            while (
                room(KEPT_MAX, principal, self._counts()) < 0
                or room(self._limit, principal, self._sizes()) < 0
            ):
                del self._kept[next(key for key in self._kept if key[0].principal == principal)]

    def kept(self, peer: Peer, dream_id: str) -> DreamOverlay | None:
        """A dream that another one of the same peer starts from; None if it is no longer kept."""
        with self._changed:
            return self._touch(peer, dream_id)

    # For the I/O thread; none of these blocks.

    def submit(self, peer: Peer, request: BlendRequest) -> None:
        """Queue a blend; cancels older requests for the same dream that have not begun.

        Raises MessageError if too many wait.
        """
        principal = peer.principal
        with self._changed:
            for waiting in [(p, r) for p, r in self._queue if (p, r.of) == (peer, request.of)]:
                self._queue.remove(principal, waiting)
                self._answer(peer, waiting[1], {"op": "cancelled"})
            if room(WAITING_MAX, principal, self._queue.counts()) <= 0:
                raise MessageError("Too many changes of dreams are waiting: ask again soon.")
            self._queue.add(principal, (peer, request))
            self._changed.notify()

    def attach(self, peer: Peer, dream_id: str) -> None:
        """Assign a dream to `peer`, the new connection of a client that came back."""
        with self._changed:
            for key in [key for key in self._kept if key[1] == dream_id]:
                if key[0].principal == peer.principal:
                    self._kept[peer, dream_id] = self._kept.pop(key)

    def forget(self, peer: Peer) -> None:
        """Drop the dreams of a peer that disconnected."""
        with self._changed:
            for key in [key for key in self._kept if key[0] == peer]:
                del self._kept[key]

    def status(self, viewer: Principal) -> Header:
        """The fields of `status` about kept dreams: how many, and their bytes in memory.

        A guest learns about its own only.
        """
        with self._changed:
            counts, sizes = self._counts(), self._sizes()
        if viewer.is_local:
            return {"kept": counts.total(), "kept_memory": sizes.total()}
        return {"kept": counts[viewer], "kept_memory": sizes[viewer]}

    def end(self) -> None:
        """End the thread after the current blend."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False if it has not ended in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _counts(self) -> Counter[Principal]:
        """How many dreams are kept, by principal. Called with the lock held."""
        return Counter(peer.principal for peer, _dream_id in self._kept)

    def _sizes(self) -> Counter[Principal]:
        """Bytes of the kept dreams, by principal. Called with the lock held."""
        sizes: Counter[Principal] = Counter()
        for (peer, _dream_id), overlay in self._kept.items():
            sizes[peer.principal] += overlay.nbytes
        return sizes

    def _touch(self, peer: Peer, dream_id: str) -> DreamOverlay | None:
        """A kept dream, which becomes the most recently used. Called with the lock held."""
        overlay = self._kept.pop((peer, dream_id), None)
        if overlay is not None:
            self._kept[peer, dream_id] = overlay
        return overlay

    # The thread.

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ending)
                if self._ending:
                    return
                peer, request = self._queue.take()
                overlay = self._touch(peer, request.of)
            self._blend(peer, request, overlay)

    def _blend(self, peer: Peer, request: BlendRequest, overlay: DreamOverlay | None) -> None:
        began = time.monotonic()
        if overlay is None:
            self._answer(peer, request, {"op": "error", "text": FORGOTTEN})
            return
        try:
            pixels = overlay.blend(request.recipe)
        except BaseException as error:  # without this thread nothing is blended
            text = sentence(error, self._log_place)
            self._answer(peer, request, {"op": "error", "text": text})
            return
        seconds = round(time.monotonic() - began, 3)
        recipe = request.recipe.to_dict()
        self._answer(peer, request, {"op": "done", "seconds": seconds, "recipe": recipe}, pixels)

    def _answer(self, peer: Peer, request: BlendRequest, header: Header, *frames: Frame) -> None:
        self._post(Outgoing(peer, {**header, "id": request.id}, frames))
