"""The octave loop of "Inceptionism" (Mordvintsev, Olah, Tyka, 2015), with detail re-injection.

Source of the algorithm: the authors' notebook (google/deepdream, dream.ipynb). The detail that the
network has added so far is carried from one octave to the next. The base picture under it is
resized from the source itself in every octave, so it stays as sharp as it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.ascent.ascent import Ascent, StepSetting
from dreamlayer.engine.ascent.octave_steps import OctaveSteps
from dreamlayer.engine.ascent.rises import RiseMeter
from dreamlayer.engine.image import planes, resize
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.planes import (
    DETAIL_FORMAT,
    PICTURE_FORMAT,
    ComputedPlane,
    Plane,
    PlaneAllocator,
    PlaneWindow,
    SampleFormat,
    Shape,
    StoredPlane,
    clip,
    copy,
    exact_format,
    read_all,
    strips,
)
from dreamlayer.engine.objectives.regional import AnyObjective
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

MEASURED_EVERY = 4  # steps: what has risen in a dream map's regions; it takes little time
# Of 1 − carry in what a step adds: makes a film with carried detail as strong as others.
CARRY_EXPONENT = 0.75
MOVED_EXPONENT = 0.65  # the same, where the detail has moved along with the picture


@dataclass(frozen=True)
class OctaveProgress:
    """Progress of a dream. Octaves and steps count from 1; they are 0 while imagining from noise.

    `picture` returns the window of the dreamed picture: (1, 3, h, w) at the octave's size.
    `partial_result` is set when an octave has ended and another one follows; it returns the dream
    as if it ended here. Call both before resuming the dream.
    """

    fraction: float
    octave: int
    octaves: int
    step: int
    steps: int
    picture: Callable[[], Plane]
    partial_result: Callable[[], DreamResult] | None = None


@dataclass(frozen=True)
class DreamResult:
    """A finished dream.

    Attributes:
        detail_plane: (1, 3, h, w), the detail added to the window, in picture units.
        base_plane: (1, 3, h, w), the picture that the network imagined from noise, to which the
            detail was added; None if it was added to the source.
        megapixel_steps: gradients computed, in megapixels.
        non_finite_share: share of all gradient values that were NaN or infinite and were replaced
            by zero, 0..1.
    """

    detail_plane: StoredPlane
    base_plane: Plane | None
    megapixel_steps: float
    non_finite_share: float

    @property
    def detail(self) -> Tensor:
        """All of `detail_plane` as floats."""
        return read_all(self.detail_plane)

    @property
    def base(self) -> Tensor | None:
        """All of `base_plane` as floats."""
        return None if self.base_plane is None else read_all(self.base_plane)


@dataclass(frozen=True)
class OctaveLoop:
    """The loop over sizes from coarse to fine.

    `base_plane` is what the detail is added to, if not the source. `start_detail` is the detail of
    the window that the coarsest octave starts from. Finer octaves make their own: fine lines kept
    at the positions of the previous frame would flicker more than new ones. With `start_moved`
    that detail lies where things are now, and each octave starts from what is new in it there.
    """

    source: Plane
    network: Network
    recipe: Recipe
    window: Window
    mask: StoredPlane | None
    objective: AnyObjective
    random: torch.Generator
    allocator: PlaneAllocator
    nan_guard: NanGuard
    base_plane: Plane | None = None
    start_detail: Plane | None = None
    start_moved: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return self.source.shape[-2], self.source.shape[-1]

    def work(self, sizes: Sequence[tuple[int, int]]) -> float:
        """Pixels of all gradients: area × steps × noise samples, summed over the octaves."""
        samples = self.recipe.noise_samples if self.recipe.noise > 0 else 1
        areas = sum(self.window.scale(self.size, size).area for size in sizes)
        return float(areas * self.recipe.steps * samples)

    def run(
        self, sizes: Sequence[tuple[int, int]], begin: float
    ) -> Generator[OctaveProgress, None, DreamResult]:
        """Dream at each size; progress goes from `begin` to 1."""
        recipe = self.recipe
        ascent = Ascent(
            self.network,
            self.objective,
            recipe,
            TilePlan(self.network, recipe.tile),
            self.random,
            self.allocator,
            self.nan_guard,
        )
        work, done = self.work(sizes) / ascent.samples, 0.0
        rises = RiseMeter.of(self.objective, MEASURED_EVERY)
        detail: StoredPlane | None = None
        for octave, size in enumerate(sizes, start=1):
            inside = self.window.scale(self.size, size)
            mask = _resized_mask(self.mask, inside)
            base = self.source
            if tuple(base.shape[-2:]) != size:
                base = clip(resize.resize_plane(base, size, recipe.wrap))
            x = self._start_octave(base, detail)
            detail = None  # free it: it is as large as the picture
            started = self._carried_into(sizes, octave)
            if started is not None:
                self._add_start_detail(started, x, inside, mask)
            if rises is not None:
                rises.forget_before()
            setting = StepSetting(
                x, base, inside, mask, size[1] / self.size[1], rises,
                octave > 1 or started is not None,
            )  # fmt: skip
            with closing(OctaveSteps(ascent, setting)) as steps:
                for step in range(1, recipe.steps + 1):
                    for part in steps.step():
                        fraction = begin + (1 - begin) * (done + part * inside.area) / work
                        yield OctaveProgress(
                            fraction, octave, len(sizes), step, recipe.steps,
                            picture_reader(x, inside),
                        )  # fmt: skip
                    done += inside.area
            if octave < len(sizes):
                yield OctaveProgress(
                    begin + (1 - begin) * done / work, octave, len(sizes), recipe.steps,
                    recipe.steps, picture_reader(x, inside),
                    functools.partial(self._partial_result, base, x, sizes[:octave]),
                )  # fmt: skip
            detail = self._subtract_base(base, x)
        return self._result(self._finish(detail), sizes)

    def _result(self, detail: StoredPlane, sizes: Sequence[tuple[int, int]]) -> DreamResult:
        return DreamResult(detail, self.base_plane, self.work(sizes) / 1e6, self.nan_guard.share)

    def _partial_result(
        self, base: Plane, x: StoredPlane, sizes: Sequence[tuple[int, int]]
    ) -> DreamResult:
        """The dream as if it ended with this octave; reads only the window."""
        detail = ComputedPlane(torch.sub, (x, base))
        enlarged = PlaneWindow(
            resize.resize_plane(detail, self.size, self.recipe.wrap), self.window
        )
        storage = torch.empty(enlarged.shape, dtype=DETAIL_FORMAT.dtype, device=x.device)
        return self._result(copy(enlarged, StoredPlane(storage, DETAIL_FORMAT)), sizes)

    def _start_octave(self, base: Plane, detail: StoredPlane | None) -> StoredPlane:
        """An octave's picture: the source at its size, plus the detail so far."""
        picture = base
        if detail is not None:
            size = (base.shape[-2], base.shape[-1])
            enlarged = resize.resize_plane(detail, size, self.recipe.wrap)
            picture = clip(ComputedPlane(torch.add, (base, enlarged)))
        return copy(picture, self._allocate(base.shape, PICTURE_FORMAT))

    def _carried_into(self, sizes: Sequence[tuple[int, int]], octave: int) -> Plane | None:
        """What an octave, from 1, starts from of `start_detail`: what the one before hasn't had."""
        start, wrap = self.start_detail, self.recipe.wrap
        if start is None or (octave > 1 and not self.start_moved):
            return None
        size = self.window.scale(self.size, sizes[octave - 1]).size
        here = resize.resize_plane(start, size, wrap)
        if octave == 1:
            return here
        coarse = self.window.scale(self.size, sizes[octave - 2]).size
        had = resize.resize_plane(resize.resize_plane(start, coarse, wrap), size, wrap)
        return ComputedPlane(torch.sub, (here, had))

    def _add_start_detail(
        self, start_detail: Plane, x: StoredPlane, inside: Window, mask: StoredPlane | None
    ) -> None:
        """Add `start_detail` to an octave's picture, where the mask is not 0."""
        size = inside.size
        start_detail = resize.resize_plane(start_detail, size, self.recipe.wrap)
        into = x[inside.slices()]
        for strip in strips(into.shape, device=into.device):
            detail = start_detail.read(strip)
            if mask is not None:
                detail = detail * (mask.read(strip) > 0)
            into.write(strip, (into.read(strip) + detail).clamp_(0.0, 1.0))

    def _subtract_base(self, base: Plane, x: StoredPlane) -> StoredPlane:
        """The detail added to the source; reuses the picture's storage."""
        form = DETAIL_FORMAT if self._compact else x.format
        return copy(ComputedPlane(torch.sub, (x, base)), StoredPlane(x.storage, form))

    def _finish(self, detail: StoredPlane | None) -> StoredPlane:
        """The window's detail at the source's size.

        Octaves larger than the source are reduced, which removes detail too fine for it.
        """
        if detail is None:
            detail = self._allocate(self.source.shape, DETAIL_FORMAT)
        elif tuple(detail.shape[-2:]) != self.size:
            reduced = resize.resize_plane(detail, self.size, self.recipe.wrap)
            detail = copy(reduced, self._allocate(reduced.shape, DETAIL_FORMAT))
        return detail[self.window.slices()]

    @property
    def _compact(self) -> bool:
        """Whether to keep pictures in 16 bits: only large ones on the CPU. Too slow on a GPU."""
        source = self.source
        large = self.size[0] * self.size[1] >= planes.COMPACT_FROM
        return large and source.dtype == torch.float32 and source.device.type == "cpu"

    def _allocate(self, shape: Shape, compact: SampleFormat) -> StoredPlane:
        form = compact if self._compact else exact_format(self.source.dtype)
        return StoredPlane(self.allocator(shape, form.dtype, self.source.device), form)


def _resized_mask(mask: StoredPlane | None, window: Window) -> StoredPlane | None:
    """A mask at the size of an octave's window; no non-zero value becomes 0."""
    if mask is None:
        return None
    return resize.resize_mask(mask, window.size)


def picture_reader(x: Plane, window: Window) -> Callable[[], Plane]:
    """A function for `OctaveProgress.picture`."""
    return lambda: PlaneWindow(x, window)
