"""The octave loop of "Inceptionism" (Mordvintsev, Olah, Tyka, 2015), with detail re-injection.

Source of the algorithm: the authors' notebook (google/deepdream, dream.ipynb). The detail that the
network has added so far is carried from one octave to the next; the picture under it is always
resized from the source itself, so it stays as sharp as it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.ascent.ascent import Ascent
from dreamlayer.engine.image import planes
from dreamlayer.engine.image import resize as octaves
from dreamlayer.engine.image.nan_guard import Flaws
from dreamlayer.engine.image.planes import (
    DETAIL,
    PICTURE,
    Computed,
    Format,
    Part,
    Plane,
    Room,
    Shape,
    Stored,
    clipped,
    copy,
    everything,
    exact,
    strips,
)
from dreamlayer.engine.image.windows import Window, scaled
from dreamlayer.engine.objectives.terms import Objective
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe


@dataclass(frozen=True)
class Progress:
    """Where a dream is; octaves and steps count from 1, and are 0 while a picture is imagined.

    `picture` gives what has been dreamed so far in the window: (1, 3, h, w) at the octave's size.
    `so_far` is there when an octave is done and another one follows: it gives the dream as if it
    ended here. Both are to be asked before the dream goes on.
    """

    fraction: float
    octave: int
    octaves: int
    step: int
    steps: int
    picture: Callable[[], Plane]
    so_far: Callable[[], Dreamt] | None = None


@dataclass(frozen=True)
class Dreamt:
    """A finished dream.

    Attributes:
        added: (1, 3, h, w), what was added to the window, in picture units.
        under: (1, 3, h, w), what it was added to, if that is not the source: the picture that the
            network imagined from noise.
        megapixel_steps: gradients computed, in megapixels.
        flawed: which part of all gradients was no number (NaN, infinite) and counted as zero, 0..1.
    """

    added: Stored
    under: Plane | None
    megapixel_steps: float
    flawed: float

    @property
    def detail(self) -> Tensor:
        """All of `added` as floats."""
        return everything(self.added)

    @property
    def base(self) -> Tensor | None:
        """All of `under` as floats."""
        return None if self.under is None else everything(self.under)


@dataclass(frozen=True)
class Octaves:
    """The loop over sizes from coarse to fine.

    `under` is what the dream is added to, if that is not the source. `start` is the window's detail
    that the coarsest octave starts from. The finer ones have their own: fine lines that lie where
    things were a frame ago would flicker more than new ones.
    """

    source: Plane
    network: Network
    recipe: Recipe
    window: Window
    mask: Stored | None
    objective: Objective
    random: torch.Generator
    room: Room
    flaws: Flaws
    under: Plane | None = None
    start: Plane | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.source.shape[-2], self.source.shape[-1]

    def work(self, sizes: Sequence[tuple[int, int]]) -> float:
        """The pixels of all gradients."""
        samples = self.recipe.noise_samples if self.recipe.noise > 0 else 1
        areas = sum(scaled(self.window, self.size, size).area for size in sizes)
        return float(areas * self.recipe.steps * samples)

    def run(
        self, sizes: Sequence[tuple[int, int]], begin: float
    ) -> Generator[Progress, None, Dreamt]:
        """Dream at each size; progress goes from `begin` to 1."""
        recipe = self.recipe
        ascent = Ascent(
            self.network, self.objective, recipe, recipe.tile, self.random, self.room, self.flaws
        )
        work, done = self.work(sizes) / ascent.samples, 0.0
        detail: Stored | None = None
        for octave, size in enumerate(sizes, start=1):
            inside = scaled(self.window, self.size, size)
            mask = _resized_mask(self.mask, inside)
            base = self.source
            if tuple(base.shape[-2:]) != size:
                base = clipped(octaves.resized(base, size, recipe.wrap))
            x = self._begun(base, detail)
            detail = None  # it is as large as the picture
            if octave == 1 and self.start is not None:
                self._go_on(self.start, x, inside, mask)
            for step in range(1, recipe.steps + 1):
                for part in ascent.step(x, base, inside, mask, size[1] / self.size[1]):
                    fraction = begin + (1 - begin) * (done + part * inside.area) / work
                    yield Progress(
                        fraction, octave, len(sizes), step, recipe.steps, shown(x, inside)
                    )
                done += inside.area
            if octave < len(sizes):
                yield Progress(
                    begin + (1 - begin) * done / work, octave, len(sizes), recipe.steps,
                    recipe.steps, shown(x, inside),
                    functools.partial(self._so_far, base, x, sizes[:octave]),
                )  # fmt: skip
            detail = self._taken_off(base, x)
        return self._dreamt(self._finished(detail), sizes)

    def _dreamt(self, detail: Stored, sizes: Sequence[tuple[int, int]]) -> Dreamt:
        return Dreamt(detail, self.under, self.work(sizes) / 1e6, self.flaws.share)

    def _so_far(self, base: Plane, x: Stored, sizes: Sequence[tuple[int, int]]) -> Dreamt:
        """The dream as if it ended with this octave; only the window is looked at."""
        detail = Computed(torch.sub, (x, base))
        enlarged = Part(octaves.resized(detail, self.size, self.recipe.wrap), self.window)
        storage = torch.empty(enlarged.shape, dtype=DETAIL.dtype, device=x.device)
        return self._dreamt(copy(enlarged, Stored(storage, DETAIL)), sizes)

    def _begun(self, base: Plane, detail: Stored | None) -> Stored:
        """An octave's picture: the source in its size, and what was dreamed so far."""
        picture = base
        if detail is not None:
            size = (base.shape[-2], base.shape[-1])
            enlarged = octaves.resized(detail, size, self.recipe.wrap)
            picture = clipped(Computed(torch.add, (base, enlarged)))
        return copy(picture, self._kept(base.shape, PICTURE))

    def _go_on(self, start: Plane, x: Stored, inside: Window, mask: Stored | None) -> None:
        """Add what the dream starts from to an octave's picture, where it may dream."""
        size = (inside.rows.length, inside.columns.length)
        start = octaves.resized(start, size, self.recipe.wrap)
        into = x[(..., inside.rows.slice(), inside.columns.slice())]
        for strip in strips(into.shape):
            detail = start.read(strip)
            if mask is not None:
                detail = detail * (mask.read(strip) > 0)
            into.write(strip, (into.read(strip) + detail).clamp_(0.0, 1.0))

    def _taken_off(self, base: Plane, x: Stored) -> Stored:
        """What was added to the source, written over the picture."""
        form = DETAIL if self._compact else x.format
        return copy(Computed(torch.sub, (x, base)), Stored(x.storage, form))

    def _finished(self, detail: Stored | None) -> Stored:
        """The window's detail at the source's size.

        Octaves above the source are reduced again, which takes what is too fine out of them.
        """
        if detail is None:
            detail = self._kept(self.source.shape, DETAIL)
        elif tuple(detail.shape[-2:]) != self.size:
            reduced = octaves.resized(detail, self.size, self.recipe.wrap)
            detail = copy(reduced, self._kept(reduced.shape, DETAIL))
        return detail[(..., self.window.rows.slice(), self.window.columns.slice())]

    @property
    def _compact(self) -> bool:
        """Whether pictures are kept in 16 bits. On a graphics card there is no time for it."""
        source = self.source
        large = self.size[0] * self.size[1] >= planes.COMPACT_FROM
        return large and source.dtype == torch.float32 and source.device.type == "cpu"

    def _kept(self, shape: Shape, compact: Format) -> Stored:
        form = compact if self._compact else exact(self.source.dtype)
        return Stored(self.room(shape, form.dtype, self.source.device), form)


def _resized_mask(mask: Stored | None, window: Window) -> Stored | None:
    """A mask for an octave's window; what was not 0 stays so."""
    if mask is None:
        return None
    return octaves.largest(mask, (window.rows.length, window.columns.length))


def shown(x: Plane, window: Window) -> Callable[[], Plane]:
    """What Progress.picture gives."""
    return lambda: Part(x, window)
