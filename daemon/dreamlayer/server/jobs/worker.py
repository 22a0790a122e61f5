"""The compute thread: computes dreams one after another, quick ones in between."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from dreamlayer.runtime.interruption import Interrupted, interruptible
from dreamlayer.server.config.settings import Settings, limit_hint
from dreamlayer.server.jobs.blender import Blender
from dreamlayer.server.jobs.error_text import sentence
from dreamlayer.server.jobs.looks_report import LooksReporter
from dreamlayer.server.jobs.progress import Reporter
from dreamlayer.server.jobs.question import Question
from dreamlayer.server.jobs.queue import QueuedDream
from dreamlayer.server.jobs.scheduler import Scheduler
from dreamlayer.server.jobs.stats import Rates
from dreamlayer.server.lifecycle import logs
from dreamlayer.server.transport.principal import Principal
from dreamlayer.studio.protocol import DreamOverlay, Finished, Studio
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import Frame, Header

log = logging.getLogger(__name__)

DREAM_PER_QUESTION = 9.0  # seconds of the local user's dream for one of a guest's questions
WARM_UP = "Loading PyTorch…"
FORGOTTEN = (
    "The dream before is no longer kept, so this one started from scratch"
    f" ({limit_hint('keep_memory')})."
)


class _Step(Protocol):
    """The progress of a dream, or of looks."""

    @property
    def fraction(self) -> float: ...


Tile = TypeVar("Tile", bound=_Step)
Result = TypeVar("Result")


class Worker:
    """The compute thread. It loads the studio, and with it torch, once.

    Args:
        studio_factory: makes the studio; called in the compute thread.
        scheduler: has the dreams and questions to work on.
        blender: keeps the finished dreams.
        log_place: where the log is, for error messages.
    """

    def __init__(
        self,
        studio_factory: Callable[[], Studio],
        scheduler: Scheduler,
        blender: Blender,
        log_place: str,
        settings: Settings,
    ) -> None:
        self._studio_factory = studio_factory
        self._scheduler = scheduler
        self._blender = blender
        self._log_place = log_place
        self._preview_share = settings.preview_share / 100
        self._studio: Studio | None = None
        self._device: str | None = None  # a copy: only one thread may use the studio
        self._networks: list[str] = []
        self._rates = Rates()
        self._next_guest_question = 0.0  # when one may be answered during the local user's dream
        self._thread = threading.Thread(target=self._run, name="compute", daemon=True)

    # For the I/O thread.

    def start(self) -> None:
        """Start the thread, which loads the studio; later calls do nothing."""
        if self._thread.ident is None:
            self._thread.start()

    @property
    def loading(self) -> bool:
        """Whether the studio is not loaded yet."""
        return self._device is None

    def status(self, viewer: Principal) -> Header:
        """The fields of `status`: device (None while PyTorch is being loaded), networks, rates.

        A guest does not learn what others dream with, and how much.
        """
        if not viewer.is_local:
            return {"device": self._device}
        return {"device": self._device, "networks": self._networks, **self._rates.describe()}

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False if it has not ended in time."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # The compute thread.

    def _run(self) -> None:
        try:
            self._load_studio()
        except BaseException:  # tried again, and reported to the user, with the first dream
            log.exception("the studio can't be loaded")
        while not self._scheduler.ending:
            job = self._scheduler.take(self._drop_idle())
            self._answer_questions()
            if job is not None:
                self._work(job)

    def _load_studio(self) -> Studio:
        if self._studio is None:
            began = time.monotonic()
            self._studio = self._studio_factory()
            self._device = self._studio.device
            seconds = round(time.monotonic() - began, 3)
            logs.event(log, "ready", device=self._device, seconds=seconds)
        return self._studio

    def _drop_idle(self) -> float | None:
        """Unload idle networks; seconds until the next call is due, None: not before a dream."""
        if self._studio is None:
            return None
        try:
            due = self._studio.drop_idle()
        except Exception:  # e.g. the device is gone, which the next dream reports
            log.exception("idle networks can't be unloaded")
            return None
        self._networks = list(self._studio.networks)
        return due

    def _work(self, job: QueuedDream) -> None:
        """Compute one dream and answer its client, even if the dream fails."""
        began = time.monotonic()
        pixels: Frame | None = None
        header: Header
        finished: Finished | None = None
        request = job.request
        before = self._blender.kept(job.peer, request.after) if request.carry else None
        try:
            ended, finished = self._dream(job, before)
        except BaseException as error:  # SystemExit too: without this thread nothing works
            outcome, header = "failed", {"op": "error", "text": sentence(error, self._log_place)}
        else:
            seconds = time.monotonic() - began
            if not ended or job.cancelled.is_set():  # an answered dream is not kept
                outcome, header = "cancelled", {"op": "cancelled"}
            elif finished is None:
                outcome, header = "done", {"op": "looked", "seconds": round(seconds, 3)}
            else:
                notes = [FORGOTTEN] if request.carry > 0 and before is None else []
                outcome, header = "done", _done(finished, seconds, notes)
                self._rates.add(finished.megapixel_steps, seconds)
                pixels = finished.pixels
                self._blender.keep(job.peer, job.id, finished.overlay)
        _log(job, outcome, time.monotonic() - began, finished)
        if self._studio is not None:
            self._networks, self._device = list(self._studio.networks), self._studio.device
        self._scheduler.finish(job, outcome, header, pixels)

    def _dream(self, job: QueuedDream, before: DreamOverlay | None) -> tuple[bool, Finished | None]:
        """Whether it came to its end, and the result, which looks have none of.

        `before` is the dream to start from.
        """
        try:
            with interruptible(job.cancelled.is_set):
                return self._compute(job, before)
        except Interrupted:
            return False, None

    def _compute(
        self, job: QueuedDream, before: DreamOverlay | None
    ) -> tuple[bool, Finished | None]:
        frames, studio, request = job.frames, self._load_studio(), job.request
        if job.cancelled.is_set():  # then the frames may be gone
            return False, None

        def send(header: Header, frames: Sequence[Frame]) -> None:
            self._scheduler.answer(job, header, frames)

        if isinstance(request, LooksRequest):
            looks = LooksReporter(send, self._log_place)
            return self._run_steps(job, studio.looks(request, frames), looks.report)
        reporter = Reporter(request, send, preview_share=self._preview_share)
        return self._run_steps(job, studio.dream(request, frames, before), reporter.report)

    def _run_steps(
        self,
        job: QueuedDream,
        steps: Generator[Tile, None, Result],
        report: Callable[[Tile], None],
    ) -> tuple[bool, Result | None]:
        """Compute tile by tile; in between, what is urgent. As `_dream` returns."""
        with contextlib.closing(steps):
            while not job.cancelled.is_set():
                began = time.monotonic()
                try:
                    progress = next(steps)
                except StopIteration as end:
                    return True, end.value
                finally:
                    self._scheduler.add_time(job, time.monotonic() - began)
                job.fraction = progress.fraction
                report(progress)
                while (urgent := self._scheduler.take_urgent(job)) is not None:
                    self._work(urgent)
                self._answer_questions(job)
        return False, None

    def _answer_questions(self, dreaming: QueuedDream | None = None) -> None:
        """Answer what waits, of guests one question at a time.

        A question may need a network that is not loaded. So while the local user's dream is under
        way, guests' questions take a tenth of the time. A look at a picture takes longer than
        other answers, so a dream computes at least a tile between two of them.
        """
        local = dreaming is not None and dreaming.lane.principal.is_local
        guests = not local or time.monotonic() >= self._next_guest_question
        while (question := self._scheduler.take_question(guests)) is not None:
            began = time.monotonic()
            header: Header
            frames: Sequence[Frame] = ()
            try:
                # By its own end, not by that of the dream in between whose tiles it is asked.
                with interruptible(question.cancelled.is_set):
                    header, frames = _answer(self._load_studio(), question)
            except Interrupted:
                header = {"op": "cancelled"}
            except BaseException as error:
                header = {"op": "error", "text": sentence(error, self._log_place)}
            self._scheduler.answer_question(question, header, frames)
            if not question.peer.principal.is_local:
                guests = False
                now = time.monotonic()
                self._next_guest_question = now + (now - began) * DREAM_PER_QUESTION
            if question.see is not None and dreaming is not None:
                return


def _answer(studio: Studio, question: Question) -> tuple[Header, Sequence[Frame]]:
    """The answer to a question: what is seen, a network's layers and kinds, or the networks."""
    if question.see is not None:
        began = time.monotonic()
        seen, frames = studio.see(question.see, question.frames)
        return {"op": "seen", **seen, "seconds": round(time.monotonic() - began, 3)}, frames
    if question.model is None:
        return {"op": "models", "models": studio.models()}, ()
    layers = studio.layers(question.model)
    return {"op": "layers", "model": question.model, **layers}, ()


def _done(finished: Finished, seconds: float, notes: Sequence[str]) -> Header:
    return {
        "op": "done",
        "seconds": round(seconds, 3),
        "device": finished.device,
        "seed": finished.recipe.seed,
        "recipe": finished.recipe.to_dict(),
        "megapixel_steps": finished.megapixel_steps,
        "gain": finished.gain,
        "notes": [*notes, *finished.notes],
    }


def _log(job: QueuedDream, outcome: str, seconds: float, finished: Finished | None) -> None:
    region, recipe = job.request.region, job.request.recipe
    fields = {
        "id": job.id, "outcome": outcome, "width": region.width, "height": region.height,
        "model": recipe.model, "layer": recipe.layer, "seconds": round(seconds, 3),
    }  # fmt: skip
    if finished is not None:
        fields |= {"device": finished.device, "megapixel_steps": finished.megapixel_steps}
        fields |= {"notes": list(finished.notes)} if finished.notes else {}
    logs.event(log, "dream", level=logging.DEBUG if job.request.quick else logging.INFO, **fields)
