"""Dreams a shot, frame by frame, each on the basis of the one before, into numbered PNGs.

The dream is computed in this process and not by the daemon: a render farm starts a command and
waits for its end, needs nothing that stays behind, and the detail that the next frame starts from
has to be kept beside the frames.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamlayer.compositing.overlay import Overlay
from dreamlayer.dreaming import asking, selection
from dreamlayer.dreaming.order import DreamOrder
from dreamlayer.files import reading
from dreamlayer.files.opening import FileError
from dreamlayer.files.output import Output
from dreamlayer.files.reading import ImageFile
from dreamlayer.filming.shots import FilmShot
from dreamlayer.filming.source import FrameSource
from dreamlayer.filming.state import ShotState, fingerprint
from dreamlayer.studio.progress import Progress
from dreamlayer.studio.protocol import Finished, Studio

DIGITS = 4  # of a frame's number, at least
Watch = Callable[[int, Progress], None]  # takes the frame's number and how far it is


@dataclass(frozen=True)
class FilmOrder:
    """What is dreamed of a film.

    Attributes:
        order: how each frame is dreamed; its recipe has a seed.
        source: the frames; of a dive, only the first one is read.
        count: how many frames the film has.
        carry: the share of the frame before's dream that each frame starts from, 0 to 1.
        zoom: how many times each frame is enlarged about its middle.
        dive: whether each frame is the dream before, enlarged, instead of one of the source.
        folder: of the frames; the others are those of this film, if any are there.
    """

    order: DreamOrder
    source: FrameSource
    count: int
    carry: float
    zoom: float
    dive: bool
    folder: Path

    def frame(self, number: int) -> Path:
        """The file of a frame."""
        return self.folder / f"{number:0{max(DIGITS, len(str(self.count)))}d}.png"

    def tidy(self) -> None:
        """Remove what commands that were killed were just writing."""
        for path in [
            *self.folder.glob(f".dream-{16 * '[0-9a-f]'}"),
            *self.folder.glob(".shot-*.state.*"),
        ]:
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the frames, once the film is put together of them."""
        for path in self.folder.glob(".shot-*.state"):
            path.unlink(missing_ok=True)
        for number in range(1, self.count + 1):
            self.frame(number).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is there
            self.folder.rmdir()

    def making(self, shot: FilmShot) -> str:
        """A text that is the same for frames that would come out the same."""
        order = self.order
        pictures = [
            hashlib.sha256(picture.tobytes()).hexdigest() if picture else ""
            for picture in (order.guide, order.dream_map)
        ]
        return fingerprint(
            {
                "recipe": order.recipe.to_dict(),
                "select": list(order.rectangle) if order.rectangle else None,
                "beside": [[path.name, path.stat().st_size] for path in order.made_from],
                "pictures": pictures,
                "source": [[path.name, path.stat().st_size] for path in self.source.files],
                "film": [self.count, self.carry, self.zoom, self.dive],
                "shot": [shot.first, shot.last],
            }
        )


def dream_shot(
    plan: FilmOrder, shot: FilmShot, studio: Studio, *, resume: bool, watch: Watch
) -> list[str]:
    """Dream a shot's frames into their files; returns sentences about small losses.

    Args:
        resume: keep the frames that this command has made before, and go on after them.
        watch: is called after each tile.

    Raises:
        ValueError, OSError: with a sentence; the frames so far stay.
    """
    state_file = plan.folder / f".shot-{shot.first:04d}.state"
    making = plan.making(shot)
    state = _resumed(plan, shot, state_file, making) if resume else None
    if state is None:
        state_file.unlink(missing_ok=True)
        state = ShotState(making, shot.first - 1)
    notes: dict[str, None] = {}
    if state.frame == shot.last:
        return []
    overlay = state.overlay
    with contextlib.closing(_pictures(plan, state.frame + 1, shot)) as pictures:
        for number in range(state.frame + 1, shot.last + 1):
            source = next(pictures, None)
            if source is None:
                raise FileError(f"The film ends before frame {number}, which it had a moment ago.")
            finished, told = _dream_frame(plan, number, source, overlay, studio, watch)
            notes.update(dict.fromkeys([*told, *finished.notes]))
            goes_on = plan.carry > 0 and number < shot.last
            overlay = finished.overlay if isinstance(finished.overlay, Overlay) else None
            ShotState(making, number, overlay if goes_on else None).save(state_file)
    return list(notes)


def _resumed(plan: FilmOrder, shot: FilmShot, path: Path, making: str) -> ShotState | None:
    """How far a shot is; None if it has not begun. Raises FileError if it is another film's."""
    state = ShotState.load(path, plan.order.recipe)
    if state is None:
        return None
    if state.making != making:
        raise FileError(
            f"The frames in {plan.folder} were dreamed of other pictures or in another way: choose"
            " another folder, or leave out --resume to replace them."
        )
    there = all(plan.frame(number).exists() for number in range(shot.first, state.frame + 1))
    return state if there and shot.first <= state.frame <= shot.last else None


def _pictures(plan: FilmOrder, first: int, shot: FilmShot) -> Generator[ImageFile, None, None]:
    """The pictures to dream on, from a frame on."""
    if not plan.dive:
        yield from plan.source.read(first)
        return
    if first == shot.first:
        with contextlib.closing(plan.source.read(1)) as frames:
            yield next(frames)
        first += 1
    for number in range(first, shot.last + 1):
        yield reading.read(plan.frame(number - 1))


def _dream_frame(
    plan: FilmOrder,
    number: int,
    source: ImageFile,
    before: Overlay | None,
    studio: Studio,
    watch: Watch,
) -> tuple[Finished, Sequence[str]]:
    """Dream on a frame and write it; returns notes about the files, too."""
    order, output = plan.order, plan.frame(number)
    selected = asking.select(order, source.size)
    with Output(output, source, [*plan.source.files, *order.made_from], overwrite=False) as place:
        asked = asking.ask(order, source, selected)
        changes: dict[str, Any] = {}
        if before is not None and plan.carry:
            changes |= {"after": "the frame before", "carry": plan.carry}
        if plan.zoom > 1.0 and not (plan.dive and number == 1):
            changes["zoom"] = plan.zoom
        request = replace(asked.request, **changes)
        finished = _finished(studio, request, asked.frames, before, number, watch)
        stored = order.stored({"recipe": finished.recipe.to_dict()})
        pixels = bytes(memoryview(finished.pixels))
        dreamed = selection.part(source, selected.region, pixels)
        notes = [*source.notes, *place.notes]
        place.write(source, dreamed, selected.region[:2], stored.to_dict())
    return finished, notes


def _finished(
    studio: Studio,
    request: Any,
    frames: Sequence[Any],
    before: Overlay | None,
    number: int,
    watch: Watch,
) -> Finished:
    """Run a dream to its end."""
    with contextlib.closing(studio.dream(request, frames, before)) as steps:
        while True:
            try:
                watch(number, next(steps))
            except StopIteration as done:
                finished: Finished = done.value
                return finished
