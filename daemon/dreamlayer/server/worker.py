"""The thread that computes the dreams, one after the other.

The I/O thread calls the public methods, none of which waits; answers travel back through `post`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dreamlayer.server.blends import Blender
from dreamlayer.server.channel import Outgoing
from dreamlayer.server.failures import sentence
from dreamlayer.server.jobs import Job
from dreamlayer.server.progress import Reporter
from dreamlink.messages import Frame, Header

if TYPE_CHECKING:
    from dreamlayer.studio import Finished, Studio

log = logging.getLogger(__name__)

WARM_UP = "Loading PyTorch…"


class Worker:
    """One compute thread. The studio, and with it torch, is loaded in it and stays loaded."""

    def __init__(
        self,
        studio_factory: Callable[[], Studio],
        post: Callable[[Outgoing], None],
        blender: Blender,
        log_place: str,
    ) -> None:
        self._studio_factory = studio_factory
        self._studio: Studio | None = None
        self._post = post
        self._blender = blender
        self._log_place = log_place
        self._changed = threading.Condition()  # guards what follows
        self._queue: deque[Job] = deque()
        self._questions: deque[tuple[bytes, str, str]] = deque()  # peer, id, model
        self._running: Job | None = None
        self._device: str | None = None  # the studio's own, copied: it is not made for two threads
        self._networks: list[str] = []
        self._ending = False
        self._counts = {"done": 0, "failed": 0, "cancelled": 0}
        self._thread = threading.Thread(target=self._run, name="compute", daemon=True)

    # For the I/O thread.

    def start(self) -> None:
        """Start the thread, which loads the studio at once; calling it again does nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def submit(self, job: Job) -> int:
        """Queue a dream; returns how many run before it. Raises ValueError for an id in use."""
        with self._changed:
            if any(j.peer == job.peer and j.request.id == job.request.id for j in self._jobs()):
                raise ValueError(f"The dream {job.request.id!r} is already under way.")
            ahead = len(self._jobs())
            self._queue.append(job)
            self._changed.notify()
        if self._device is None:
            self._answer(job, {"op": "progress", "fraction": 0.0, "text": WARM_UP})
        return ahead

    def cancel(self, peer: bytes, job_id: str) -> None:
        """Cancel a dream of `peer`; an unknown one is none of its own or over."""
        self._cancel(lambda job: job.peer == peer and job.request.id == job_id)

    def forget(self, peer: bytes) -> None:
        """Cancel all dreams of a peer that went away."""
        self._cancel(lambda job: job.peer == peer)

    def end(self) -> None:
        """Cancel all dreams and end the thread as soon as the tile in work is computed."""
        self._cancel(lambda job: True)
        with self._changed:
            self._ending = True
            self._changed.notify()

    def ask_layers(self, peer: bytes, request_id: str, model: str) -> None:
        """Have the layers of a network told to `peer`, between two tiles if a dream runs."""
        with self._changed:
            self._questions.append((peer, request_id, model))
            self._changed.notify()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end; whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def busy(self) -> bool:
        with self._changed:
            return bool(self._jobs())

    def status(self) -> Header:
        """What `status` tells: device (None while PyTorch is loading), networks, jobs, counts."""
        with self._changed:
            return {
                "device": self._device,
                "networks": self._networks,
                "jobs": [job.describe() for job in self._jobs()],
                **self._counts,
            }

    # For both; the lock is held.

    def _jobs(self) -> list[Job]:
        return [*([self._running] if self._running else []), *self._queue]

    def _cancel(self, chosen: Callable[[Job], bool]) -> None:
        with self._changed:
            for job in [job for job in self._queue if chosen(job)]:
                self._queue.remove(job)
                self._counts["cancelled"] += 1
                self._answer(job, {"op": "cancelled"})
            if self._running and chosen(self._running):
                self._running.cancelled.set()

    def _answer(self, job: Job, header: Header, frames: Sequence[Frame] = ()) -> None:
        self._post(Outgoing(job.peer, {**header, "id": job.request.id}, frames))

    # The compute thread.

    def _run(self) -> None:
        try:
            self._load_studio()
        except Exception:  # tried again, and told to the user, with the first dream
            log.exception("the studio can't be loaded")
        while not self._ending:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._questions or self._ending)
                if self._queue and not self._ending:
                    self._running = self._queue.popleft()
                    self._running.state = "running"
            self._answer_questions()
            if self._running:
                self._work(self._running)

    def _load_studio(self) -> Studio:
        if self._studio is None:
            began = time.monotonic()
            self._studio = self._studio_factory()
            self._device = self._studio.device
            log.info("ready on %s after %.1f s", self._device, time.monotonic() - began)
        return self._studio

    def _work(self, job: Job) -> None:
        """Compute one dream and answer its client, whatever happens."""
        began = time.monotonic()
        frames: Sequence[Frame] = ()
        try:
            finished = self._dream(job)
        except Exception as error:
            outcome, header = "failed", {"op": "error", "text": sentence(error, self._log_place)}
        else:
            if finished is None:
                outcome, header = "cancelled", {"op": "cancelled"}
            else:
                outcome, header = "done", _done(finished, time.monotonic() - began)
                frames = [finished.pixels]
                self._blender.keep(job.peer, job.request.id, finished.overlay)
        width, height = job.request.region.width, job.request.region.height
        recipe = job.request.recipe
        log.info(
            "dream %.40r of %d × %d on %s %s: %s after %.1f s",
            job.request.id, width, height, recipe.model, recipe.layer, outcome,
            time.monotonic() - began,
        )  # fmt: skip
        with self._changed:
            self._counts[outcome] += 1
            self._networks = self._studio.networks if self._studio else []
            self._answer(job, header, frames)
            self._running = None

    def _dream(self, job: Job) -> Finished | None:
        """The result, or None if the dream was cancelled."""
        reporter = Reporter(job.request, lambda header, frames: self._answer(job, header, frames))
        steps = self._load_studio().dream(job.request, job.frames)
        with contextlib.closing(steps):
            while not job.cancelled.is_set():
                try:
                    progress = next(steps)
                except StopIteration as end:
                    finished: Finished = end.value
                    return finished
                job.fraction = progress.fraction
                reporter.tell(progress)
                self._answer_questions()
        return None

    def _answer_questions(self) -> None:
        while self._questions:
            peer, request_id, model = self._questions.popleft()
            header: Header
            try:
                layers = self._load_studio().layers(model)
                header = {"op": "layers", "model": model, "layers": layers}
            except Exception as error:
                header = {"op": "error", "text": sentence(error, self._log_place)}
            self._post(Outgoing(peer, {**header, "id": request_id}))


def _done(finished: Finished, seconds: float) -> Header:
    return {
        "op": "done",
        "seconds": round(seconds, 3),
        "device": finished.device,
        "seed": finished.recipe.seed,
        "recipe": finished.recipe.to_dict(),
        "megapixel_steps": finished.megapixel_steps,
        "gain": finished.gain,
    }
