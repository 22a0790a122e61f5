"""The octave loop of "Inceptionism" (Mordvintsev, Olah, Tyka, 2015), with detail re-injection.

Source of the algorithm: the authors' notebook (google/deepdream, dream.ipynb). The detail that the
network has added so far is carried from one octave to the next; the picture under it is always
resized from the source itself, so it stays as sharp as it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine import octaves, planes
from dreamlayer.engine.ascent import Ascent
from dreamlayer.engine.binding import bind
from dreamlayer.engine.flaws import Flaws
from dreamlayer.engine.imagine import imagine
from dreamlayer.engine.objectives import Objective
from dreamlayer.engine.planes import (
    DETAIL,
    PICTURE,
    Computed,
    Format,
    Inset,
    Part,
    Picture,
    Plane,
    Room,
    Shape,
    Stored,
    clipped,
    copy,
    everything,
    exact,
    in_memory,
    of,
    stored,
    strips,
)
from dreamlayer.engine.tiles import Window, scaled
from dreamlayer.models.network import Network
from dreamlink.recipe import Recipe

IMAGINED_SIDE = 512  # px; what starts from noise is imagined so large, and dreamed on from there
IMAGINING = 0.5  # of the work
GOING_ON = 0.75  # exponent: a film whose frames go on from each other is as strong as others


class TooSmall(ValueError):
    """The picture has no place for a single cell of the layer."""


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


def dream(
    source: Picture,
    network: Network,
    recipe: Recipe,
    window: Window,
    *,
    mask: Tensor | None = None,
    guide: Tensor | None = None,
    sizes: Sequence[tuple[int, int]] | None = None,
    room: Room = in_memory,
    before: Plane | None = None,
    carry: float = 0.0,
) -> Generator[Progress, None, Dreamt]:
    """Dream into a picture.

    Args:
        source: (1, 3, H, W), R, G, B in 0..1, sRGB-encoded, on the network's device.
        network: cut for the recipe (`binding.cut_for`).
        recipe: with a seed; the same seed on the same device gives the same detail.
        window: the part to dream in; what lies around it is seen but not changed.
        mask: (1, 1, h, w) of the window, bytes, or 0..1; where it is 0 nothing is dreamed, and
            steps are measured where it is not.
        guide: (1, 3, h, w), R, G, B in 0..1, for expressions that need one.
        sizes: (h, w) of the whole picture in each octave, coarse to fine; None: the recipe's.
        room: where the planes of the picture's size are kept.
        before: (1, 3, h, w) of the window, the detail of another dream, in picture units, such as
            of the frame before in a film.
        carry: how much of that this one starts from, 0..1; it goes the less far by itself.

    Yields:
        Progress after every tile; closing the generator there stops the dream.

    Memory: what is dreamed and a step's gradient, in 16 bits a sample each (small pictures: as
    floats), and what tiles and strips take.

    Raises:
        TooSmall, ValueError: with a sentence for the user.
    """
    source = of(source)
    size = (source.shape[-2], source.shape[-1])
    _check_size(size, network)
    random = torch.Generator().manual_seed(recipe.seed)
    objective = bind(recipe.expression(), network, guide)
    sizes = sizes or octaves.sizes(
        *size, recipe.octaves, recipe.octave_scale, network.minimum, recipe.supersample
    )
    weights = None if mask is None else stored(mask)
    flaws = Flaws()
    if recipe.start == "picture":
        start = None
        if before is not None:
            start = Computed(lambda detail: detail * carry, (before,))
            recipe = replace(recipe, step_size=recipe.step_size * (1 - carry) ** GOING_ON)
        loop = _Octaves(
            source, network, recipe, window, weights, objective, random, room, flaws, start=start
        )
        return (yield from loop.run(sizes, 0.0))

    picture = yield from _imagined(source, network, recipe, window, objective, random, flaws)
    factor = _imagined_factor(window)
    larger = [s for s in sizes if s[0] > size[0] * factor]
    loop = _Octaves(
        picture, network, recipe, window, weights, objective, random, room, flaws,
        Part(picture, window),
    )  # fmt: skip
    return (yield from loop.run(larger, IMAGINING))


@dataclass(frozen=True)
class _Octaves:
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
                        fraction, octave, len(sizes), step, recipe.steps, _picture(x, inside)
                    )
                done += inside.area
            if octave < len(sizes):
                yield Progress(
                    begin + (1 - begin) * done / work, octave, len(sizes), recipe.steps,
                    recipe.steps, _picture(x, inside),
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


def _imagined(
    source: Plane,
    network: Network,
    recipe: Recipe,
    window: Window,
    objective: Objective,
    random: torch.Generator,
    flaws: Flaws,
) -> Generator[Progress, None, Plane]:
    """The source with its window filled by what the network imagines from noise."""
    factor = _imagined_factor(window)
    size = tuple(
        max(network.minimum, round(span.length * factor)) for span in (window.rows, window.columns)
    )
    imagining = imagine((size[0], size[1]), network, objective, recipe, random, flaws)
    try:
        while True:
            fraction = next(imagining)
            yield Progress(fraction * IMAGINING, 0, 0, 0, 0, _picture(source, window))
    except StopIteration as done:
        found: Tensor = done.value
    whole_window = (window.rows.length, window.columns.length)
    inner = octaves.resized(of(found.to(source.device, source.dtype)), whole_window, recipe.wrap)
    return Inset(source, window, clipped(inner))


def _imagined_factor(window: Window) -> float:
    return min(1.0, IMAGINED_SIDE / max(window.rows.length, window.columns.length))


def _resized_mask(mask: Stored | None, window: Window) -> Stored | None:
    """A mask for an octave's window; what was not 0 stays so."""
    if mask is None:
        return None
    return octaves.largest(mask, (window.rows.length, window.columns.length))


def _check_size(size: tuple[int, int], network: Network) -> None:
    if min(size) < network.minimum:
        raise TooSmall(
            f"{size[1]} × {size[0]} pixels are too few for {', '.join(network.layers)} of"
            f" {network.name}: {network.minimum} are needed on each side. Choose an earlier layer"
            " or a larger area."
        )


def _picture(x: Plane, window: Window) -> Callable[[], Plane]:
    return lambda: Part(x, window)
