"""A film: many dreams, one after the other, and the animated layer that they become. No Qt here.

Either each frame of an animated layer dreams, or a dive goes into one picture: each frame is the
one before, enlarged about its middle, and dreams on. All frames have the same seed. A layer's frame
starts from a part of what the frame before dreamed, so that the dream stays where it is while the
picture moves under it; a dive's frame has all of it in its picture anyway.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, duration, layer_name
from dreamlink.session.film_options import frame_fields
from dreamlink.wire.messages import Frame

from ..document import document, keyframes
from ..document.source import Source
from ..document.spool import Spool
from .jobs import Dreamed, Job, NewLayer

if TYPE_CHECKING:
    from ..qt.connection import Link


class Shot(NamedTuple):
    """One frame to dream: the time at which it begins, and where its picture comes from.

    `picture` is None for the frame before, dreamed.
    """

    time: int
    picture: Callable[[], Frame] | None


@dataclass(frozen=True)
class Plan:
    """What a film is made of.

    Attributes:
        shots: its frames in their order, at least one.
        end: the time of an empty frame behind the last one, if that is not to stand for ever.
        carry: how much of what the frame before dreamed each frame starts from, 0 to 1.
        zoom: how many times the picture is enlarged from frame to frame.
    """

    shots: Sequence[Shot]
    end: int | None = None
    carry: float = 0.0
    zoom: float = 1.0


@dataclass(frozen=True)
class Filmed:
    """A film that is in the document: `node_id` is its layer's."""

    document: Any
    node_id: Any
    source: Source
    recipe: Recipe


class Film:
    """A film under way; to its owner it has the face of a `Job`.

    What is done when it ends early, for whatever reason, becomes a shorter film.

    Attributes:
        state, fraction, text: how it stands, as of a `Job`, over all frames.
        source, recipe: what was asked for; the recipe has a seed.
        result: what came of it, or None.
    """

    def __init__(
        self,
        link: Link,
        source: Source,
        recipe: Recipe,
        plan: Plan,
        changed: Callable[[Film], None],
        finished: Callable[[Filmed], None],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        """`soon` calls what it is given when the host has had time to breathe."""
        self.state = State.WAITING
        self.fraction: float | None = None
        self.text = "Looking for the daemon…"
        self.source = replace(source, pixels=b"", veiled=False)
        self.recipe = recipe.with_seed()
        self.result: Filmed | None = None
        self._link = link
        self._plan = plan
        self._changed = changed
        self._finished = finished
        self._soon = soon
        self._spool = Spool(source.request(recipe).result.nbytes)
        self._job: Job | None = None
        self._after = ""  # the id of the last frame's dream
        self._notes: list[str] = []
        self._began = 0.0  # when the first frame was asked for
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
        """Stop dreaming; the frames that are done are kept."""
        if self._job is not None and not self.over:
            self._job.cancel()

    def fail(self, reason: str) -> None:
        """End the film with a sentence for the user, and keep what is done."""
        if self._job is not None and not self.over:
            self._job.fail(reason)

    def tell_daemon_to_stop(self) -> None:
        """The host ends: nothing can be kept."""
        if self._job is not None:
            self._job.tell_daemon_to_stop()
        self._stop_writing()
        self._spool.close()

    def _dream_next(self) -> None:
        """Ask for the next frame."""
        count = len(self._spool)
        shot = self._plan.shots[count]
        try:
            pixels = shot.picture() if shot.picture else self._spool.read(count - 1)
        except document.DocumentError as error:
            self._stop(State.FAILED, str(error))
            return
        source = replace(self.source, pixels=pixels)
        options = frame_fields(self._after, self._plan.carry, self._plan.zoom)
        goal = _Frame(source, self._spool)
        self._job = Job(
            self._link, source, self.recipe, self._moved, self._frame_done, goal, **options
        )
        self._job.start()

    def _moved(self, job: Job) -> None:
        """The frame in work has moved on."""
        if job.state is State.DONE:
            return  # `_frame_done` hears of it
        if job.over:
            self._stop(job.state, job.text)
            return
        done, total = len(self._spool), len(self._plan.shots)
        self.state = State.RUNNING if done else job.state
        if done or job.fraction is not None:
            self.fraction = (done + (job.fraction or 0.0)) / total
        self.text = f"Frame {done + 1} of {total}{self._left() if done else f': {job.text}'}"
        self._changed(self)

    def _left(self) -> str:
        """How long the film still takes, as long as its frames took until now."""
        done, total = len(self._spool), len(self._plan.shots)
        spent = (time.monotonic() - self._began) / done
        return f", about {duration(spent * (total - done))} left"

    def _frame_done(self, dreamed: Dreamed) -> None:
        self._after = dreamed.dream.request.id
        self._notes += [note for note in dreamed.dream.notes if note not in self._notes]
        if len(self._spool) < len(self._plan.shots):
            self._dream_next()
        else:
            self._stop(State.DONE, "")

    def _stop(self, state: State, text: str) -> None:
        """No more frames: write those that are done."""
        self._job = None
        self._end_state, self._end_text = state, text
        if len(self._spool) == 0 or document.gone(self.source):
            self._end(None)
            return
        name = layer_name(self.source.name, self.recipe)
        self._writing = keyframes.add_film(self.source, name, self._pictures())
        self.state, self.text = State.RUNNING, "Writing the frames…"
        self._changed(self)
        self._soon(self._write)

    def _pictures(self) -> list[keyframes.Picture]:
        shots, done = self._plan.shots, len(self._spool)
        pictures = [
            keyframes.Picture(shots[i].time, lambda i=i: self._spool.read(i))  # type: ignore[misc]
            for i in range(done)
        ]
        end = shots[done].time if done < len(shots) else self._plan.end
        if end is not None:
            pictures.append(keyframes.Picture(end, None))
        if shots[0].time > 0:
            pictures.insert(0, keyframes.Picture(0, None))  # or the first would stand there too
        return pictures

    def _write(self) -> None:
        """Write one frame."""
        if self._writing is None:
            return
        try:
            node_id = next(self._writing)
        except document.DocumentError as error:
            self._end_state, self._end_text = State.FAILED, str(error)
            self._end(None)
            return
        except Exception:
            self._end_state = State.FAILED
            self._end(None)
            raise
        if node_id is None:
            self._soon(self._write)
        else:
            self._end(node_id)

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
        self.text = self._said(done, node_id is not None)
        self._changed(self)
        if node_id is not None:
            source = replace(self.source, guide=None, strength=None)
            self.result = Filmed(source.document, node_id, source, self.recipe)
            self._finished(self.result)

    def _said(self, done: int, kept: bool) -> str:
        if self._end_state is State.DONE:
            took = duration(time.monotonic() - self._began)
            said = f"Dreamed {_frames(done)} in {took} with seed {self.recipe.seed}."
        elif not kept:
            return self._end_text
        elif self._end_state is State.CANCELLED:
            said = "Cancelled."
        else:
            said = self._end_text
        if done < len(self._plan.shots):
            said += f" What was done is kept: {_frames(done)} of {len(self._plan.shots)}."
        return " ".join([said, *self._notes])


class _Frame(NewLayer):
    """Where a frame's pixels go: into the spool, until all are there."""

    def __init__(self, source: Source, spool: Spool) -> None:
        super().__init__(source)
        self._spool = spool

    def done(self, dream: Dream, recipe: Recipe) -> Any:
        self._spool.append(dream.pixels or bytearray())


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
