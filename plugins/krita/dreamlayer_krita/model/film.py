"""A film: many dreams, one after the other, which become an animated layer. No Qt here.

Either every frame of an animated layer is dreamed on, or the film is a dive into one picture: each
frame is the previous one, enlarged about its centre and dreamed on again. All frames have the same
seed. A frame of an animated layer starts from part of the previous frame's dream, so that the dream
stays in place while the picture moves; a dive's frame contains that dream anyway.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, duration, layer_name
from dreamlink.session.film_options import frame_fields
from dreamlink.wire.messages import Frame

from ..document import keyframes, layer_io
from ..document.source import LayerSource, is_opaque
from ..document.spool import FrameSpool
from .daemon_link import DaemonLink
from .jobs import DreamJob, FinishedDream, NewLayer


class Shot(NamedTuple):
    """One frame to dream.

    Attributes:
        time: the time at which it begins, in frames.
        picture: reads the pixels to dream on; None: they are the previous frame's dream.
    """

    time: int
    picture: Callable[[], Frame] | None


@dataclass(frozen=True)
class FilmPlan:
    """The frames of a film and how they depend on each other.

    Attributes:
        shots: the frames in order, at least one.
        end: the time of an empty frame after the last one; None: the last one stays visible.
        carry: the fraction of the previous frame's dream that each frame starts from, 0 to 1.
        zoom: the factor by which the picture is enlarged from frame to frame.
    """

    shots: Sequence[Shot]
    end: int | None = None
    carry: float = 0.0
    zoom: float = 1.0


@dataclass(frozen=True)
class FinishedFilm:
    """A film that is in the document; `node_id` is the unique id of its layer."""

    document: Any
    node_id: Any
    source: LayerSource
    recipe: Recipe


class Film:
    """A film being dreamed, with the interface of a `DreamJob`.

    If it ends early, for any reason, the finished frames become a shorter film.

    Attributes:
        state, fraction, text: as of a `DreamJob`, over all frames.
        source, recipe: what was requested; the recipe has a seed.
        result: the finished film, or None.
    """

    def __init__(
        self,
        link: DaemonLink,
        source: LayerSource,
        recipe: Recipe,
        plan: FilmPlan,
        changed: Callable[[Film], None],
        finished: Callable[[FinishedFilm], None],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        """`soon` calls a function once the host has processed its events."""
        self.state = State.WAITING
        self.fraction: float | None = None
        self.text = "Looking for the daemon…"
        self.source = replace(source, pixels=b"", as_mask=False)
        self.recipe = recipe.with_seed()
        self.result: FinishedFilm | None = None
        self._link = link
        self._plan = plan
        self._changed = changed
        self._finished = finished
        self._soon = soon
        self._spool = FrameSpool(source.request(recipe).result.nbytes)
        self._job: DreamJob | None = None
        self._after = ""  # the id of the last frame's dream
        self._notes: list[str] = []
        self._began = 0.0  # when the first frame was requested
        self._writing: Generator[Any, None, None] | None = None
        self._end_state, self._end_text = State.DONE, ""

    @property
    def over(self) -> bool:
        return self.state in (State.DONE, State.CANCELLED, State.FAILED)

    def start(self) -> None:
        self._began = time.monotonic()
        self._changed(self)
        self._dream_next()

    def cancel(self) -> None:
        """Stop dreaming; the finished frames are kept."""
        if self._job is not None and not self.over:
            self._job.cancel()

    def fail(self, reason: str) -> None:
        """End the film with a sentence for the user, and keep the finished frames."""
        if self._job is not None and not self.over:
            self._job.fail(reason)

    def tell_daemon_to_stop(self) -> None:
        """Krita is quitting: nothing can be kept."""
        if self._job is not None:
            self._job.tell_daemon_to_stop()
        self._stop_writing()
        self._spool.close()

    def _dream_next(self) -> None:
        """Request the next frame's dream."""
        count = len(self._spool)
        shot = self._plan.shots[count]
        try:
            pixels = shot.picture() if shot.picture else self._spool.read(count - 1)
        except layer_io.DocumentError as error:
            self._stop(State.FAILED, str(error))
            return
        source = replace(self.source, pixels=pixels)
        if shot.picture and self.source.opaque:
            opaque = is_opaque(source.picture, pixels, source.region)
            self.source = replace(self.source, opaque=opaque)
        options = frame_fields(self._after, self._plan.carry, self._plan.zoom)
        goal = _SpooledFrame(source, self._spool)
        self._job = DreamJob(
            self._link, source, self.recipe, self._frame_changed, self._frame_done, goal, **options
        )
        self._job.start()

    def _frame_changed(self, job: DreamJob) -> None:
        """The current frame's job has made progress or is over."""
        if job.state is State.DONE:
            return  # `_frame_done` is called too
        if job.over:
            self._stop(job.state, job.text)
            return
        done, total = len(self._spool), len(self._plan.shots)
        self.state = State.RUNNING if done else job.state
        if done or job.fraction is not None:
            self.fraction = (done + (job.fraction or 0.0)) / total
        self.text = f"Frame {done + 1} of {total}{self._time_left() if done else f': {job.text}'}"
        self._changed(self)

    def _time_left(self) -> str:
        """The remaining time, from the mean time of the frames so far."""
        done, total = len(self._spool), len(self._plan.shots)
        spent = (time.monotonic() - self._began) / done
        return f", about {duration(spent * (total - done))} left"

    def _frame_done(self, dreamed: FinishedDream) -> None:
        self._after = dreamed.dream.request.id
        self._notes += [note for note in dreamed.dream.notes if note not in self._notes]
        if len(self._spool) < len(self._plan.shots):
            self._dream_next()
        else:
            self._stop(State.DONE, "")

    def _stop(self, state: State, text: str) -> None:
        """Dream no more frames, and write the finished ones."""
        self._job = None
        self._end_state, self._end_text = state, text
        if len(self._spool) == 0 or layer_io.explain_loss(self.source):
            self._end(None)
            return
        name = layer_name(self.source.name, self.recipe)
        self._writing = keyframes.add_film(self.source, name, self._pictures())
        self.state, self.text = State.RUNNING, "Writing the frames…"
        self._changed(self)
        self._soon(self._write)

    def _pictures(self) -> list[keyframes.FilmFrame]:
        shots, done = self._plan.shots, len(self._spool)
        pictures = [
            keyframes.FilmFrame(shots[i].time, lambda i=i: self._spool.read(i))  # type: ignore[misc]
            for i in range(done)
        ]
        end = shots[done].time if done < len(shots) else self._plan.end
        if end is not None:
            pictures.append(keyframes.FilmFrame(end, None))
        if shots[0].time > 0:
            pictures.insert(
                0, keyframes.FilmFrame(0, None)
            )  # or Krita would show the first frame there too
        return pictures

    def _write(self) -> None:
        """Write one frame."""
        if self._writing is None:
            return
        try:
            added = next(self._writing)
        except layer_io.DocumentError as error:
            self._end_state, self._end_text = State.FAILED, str(error)
            self._end(None)
            return
        except Exception:
            self._end_state = State.FAILED
            self._end(None)
            raise
        if added is None:
            self._soon(self._write)
        else:
            self._notes += [added.note] if added.note else []
            self._end(added.node_id)

    def _stop_writing(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.close()

    def _end(self, node_id: Any) -> None:
        done = len(self._spool)
        self._stop_writing()
        self._spool.close()
        self.state = self._end_state
        self.fraction = 1.0
        self.text = self._summary(done, node_id is not None)
        self._changed(self)
        if node_id is not None:
            source = replace(self.source, guide=None, strength=None, dream_map=None)
            self.result = FinishedFilm(source.document, node_id, source, self.recipe)
            self._finished(self.result)

    def _summary(self, done: int, kept: bool) -> str:
        if self._end_state is State.DONE:
            took = duration(time.monotonic() - self._began)
            text = f"Dreamed {_frames(done)} in {took} with seed {self.recipe.seed}."
        elif not kept:
            return self._end_text
        elif self._end_state is State.CANCELLED:
            text = "Cancelled."
        else:
            text = self._end_text
        if done < len(self._plan.shots):
            text += f" The finished frames are kept: {done} of {_frames(len(self._plan.shots))}."
        return " ".join([text, *self._notes])


class _SpooledFrame(NewLayer):
    """Puts a frame's pixels into the spool, where they wait for the others."""

    def __init__(self, source: LayerSource, spool: FrameSpool) -> None:
        super().__init__(source)
        self._spool = spool

    def finish(self, dream: Dream, recipe: Recipe) -> Any:
        self._spool.append(dream.pixels or bytearray())


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
