"""Gradient ascent in one octave: shift, noise, gradient, conditioning, step."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dreamlayer.engine.ascent.conditioning import condition
from dreamlayer.engine.ascent.region_norms import RegionNorms
from dreamlayer.engine.ascent.regularisers import stay_change, tv_change
from dreamlayer.engine.ascent.rises import RiseMeter
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.noise import Noise
from dreamlayer.engine.image.padding import nearest, opposite
from dreamlayer.engine.image.planes import (
    GRADIENT_FORMAT,
    ComputedPlane,
    Plane,
    PlaneAllocator,
    PlaneWindow,
    StoredPlane,
    TensorOrPlane,
    allocate_in_memory,
    as_plane,
    as_stored_plane,
    extended_indices,
    gather,
    ratio,
    rewrite,
    strips,
    sum_of,
)
from dreamlayer.engine.objectives.regional import AnyObjective, RegionalObjective
from dreamlayer.engine.objectives.tally import RegionTally
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window
from dreamlink.recipe.recipe import Recipe

APRON = (
    1  # strides of reflected picture around the picture, so that its edges dream like its middle
)
LEVELS = 255.0  # a step size of 1 changes the picture by 1/255, averaged over the pixels
KEYS = 2**31  # number of noise patterns


@dataclass(frozen=True)
class StepSetting:
    """What the steps of an octave have in common; see `Ascent.step`.

    `rises` gives each step its objective and measures what rises, if there is a dream map.
    `is_dreamed` tells whether `x` has been dreamed on before: else it is `base`.
    """

    x: StoredPlane
    base: Plane
    window: Window
    mask: StoredPlane | None
    scale: float
    rises: RiseMeter | None = None
    is_dreamed: bool = True

    @property
    def inside(self) -> StoredPlane:
        """The window of the picture; shares its storage."""
        return self.x[self.window.slices()]


@dataclass(frozen=True)
class Ascent:
    """Takes the steps of a dream.

    `random` is a generator on the CPU, so that a seed means the same on every device. `side` is
    the side of the tiles in pixels, or plans them. `allocator` allocates the gradient of a step.
    """

    network: TileableNetwork
    objective: AnyObjective
    recipe: Recipe
    side: int | TilePlan
    random: torch.Generator
    allocator: PlaneAllocator = allocate_in_memory
    nan_guard: NanGuard = field(default_factory=NanGuard)

    @property
    def samples(self) -> int:
        """The number of gradients averaged in one step."""
        return self.recipe.noise_samples if self.recipe.noise > 0 else 1

    def step(
        self,
        x: Tensor | StoredPlane,
        base: TensorOrPlane,
        window: Window,
        mask: Tensor | StoredPlane | None = None,
        scale: float = 1.0,
    ) -> Iterator[float]:
        """Take one step: change `x` in place, inside `window` and where the mask is not 0 only.

            shift x at random · g = mean over K noisy copies of the gradient · unshift · condition
            x ← x + step_size · (g / mean|g| − tv · ∇TV(x − base) − stay · (x − base))

        There is one norm for all tiles and the whole selection: with a norm per tile a flat sky
        would become as busy as a castle. Only the regions of a dream map have one each. If the
        gradient is zero everywhere the network adds nothing.

        Args:
            x: (1, 3, H, W), 0..1: the octave's picture, dreamed so far.
            base: (1, 3, H, W): the same without the dream.
            window: where to dream.
            mask: (1, 1, h, w) of the window, 0..1: the weight of each pixel in the norm.
            scale: the octave's size over the source's. Below 1 it scales the noise, as if the noise
                had been reduced with the picture: fine octaves need it for their strokes, coarse
                ones would only lose content.

        Yields:
            the fraction of this step that is done, after each tile; close the generator to stop.
        """
        weights = None if mask is None else as_stored_plane(mask)
        setting = StepSetting(as_stored_plane(x), as_plane(base), window, weights, scale)
        yield from self.tiled_step(setting, self.draw(setting))

    def draw(self, setting: StepSetting) -> list[PictureCanvas]:
        """Draw what is random in a step: a canvas for each gradient, alike but for their noise."""
        x = setting.x
        canvas = self._canvas(x, self.wraps(setting), fixed=setting.mask is not None)
        return [replace(canvas, noise=self._noise(setting.scale)) for _ in range(self.samples)]

    def tiled_step(
        self, setting: StepSetting, canvases: Sequence[PictureCanvas]
    ) -> Iterator[float]:
        """Take a step tile by tile; yields as `step` does."""
        total, done = self.allocate_gradient(setting), 0.0
        passes = [self.tiled(setting, canvas) for canvas in canvases]
        tally = None
        if setting.rises is not None:
            tally = self._tally(setting.rises, setting, passes[0])
            passes = [replace(tiled, objective=setting.rises.objective) for tiled in passes]
            passes[0] = replace(passes[0], tally=tally)
        for tiled in passes:
            for share in tiled.add_gradient(setting.x, total):
                done += share / self.samples
                yield min(done, 1.0)
        if setting.rises is not None and tally is not None:
            setting.rises.learn(tally)
        self.follow(setting, total, canvases[0].origin)

    def _tally(
        self, rises: RiseMeter, setting: StepSetting, tiled: TiledObjective
    ) -> RegionTally | None:
        """What a step is to measure beside its gradient, from the same pass of the network.

        The picture without the dream is measured once an octave, in the same canvas.
        """
        if not rises.begin_step():
            return None
        if setting.is_dreamed and not rises.knows_before:
            tally = rises.tally()
            tiled.measure(setting.base, tally)
            rises.learn(tally)
        return rises.tally()

    def tiled(self, setting: StepSetting, canvas: PictureCanvas) -> TiledObjective:
        """The objective over a setting's window, in a canvas."""
        return TiledObjective(
            self.network,
            self.objective,
            canvas,
            setting.window,
            self.side,
            None if setting.mask is None else setting.mask.storage,
            self.nan_guard,
        )

    def wraps(self, setting: StepSetting) -> bool:
        """Whether opposite edges are neighbours: a part of a picture has no opposite edges."""
        return self.recipe.wrap and setting.inside.shape == setting.x.shape

    def follow(self, setting: StepSetting, total: StoredPlane, origin: tuple[int, int]) -> None:
        """Condition a gradient, and change the picture along it."""
        recipe, wrap = self.recipe, self.wraps(setting)
        condition(total, recipe.conditioning, recipe.smooth, recipe.calm_colours, wrap)
        step_of = self._normalised(total, setting.mask, origin)
        base = PlaneWindow(setting.base, setting.window)
        self._move(setting.inside, base, step_of, setting.mask, wrap)

    def _normalised(
        self, total: Plane, mask: Plane | None, origin: tuple[int, int]
    ) -> Callable[[Window], Tensor]:
        """Reads strips of the step along a gradient: divided by its norm, or by each region's."""
        length = self.recipe.step_size / LEVELS

        def read(strip: Window) -> Tensor:
            return _read_unrolled(total, origin, strip)

        if isinstance(self.objective, RegionalObjective):
            size = (total.shape[-2], total.shape[-1])
            once = functools.lru_cache(maxsize=1)(read)  # of a small picture there is one strip
            norms = RegionNorms.of(self.objective.shares, size, once, mask)
            return lambda strip: once(strip) * (norms.factors(strip) * length)
        factor = ratio(length, _mean_magnitude(total, mask, origin))
        return lambda strip: read(strip) * factor

    def allocate_gradient(self, setting: StepSetting) -> StoredPlane:
        """Allocate the gradient: in 16 bits if the picture is stored in 16 bits."""
        inside = setting.inside
        form = GRADIENT_FORMAT if inside.format.levels else inside.format
        return StoredPlane(self.allocator(inside.shape, form.dtype, inside.device), form)

    def _move(
        self,
        inside: StoredPlane,
        base: Plane,
        step_of: Callable[[Window], Tensor],
        mask: StoredPlane | None,
        wrap: bool,
    ) -> None:
        """Move along the gradient, and back by the regularisers, strip by strip."""
        recipe, length = self.recipe, self.recipe.step_size / LEVELS
        border = opposite if wrap else nearest
        detail = ComputedPlane(torch.sub, (inside, base))

        def move_strip(strip: Window) -> Tensor:
            move = step_of(strip)
            if recipe.tv > 0:
                rows = extended_indices(strip.rows, 1, inside.shape[-2], border)
                around = gather(detail, rows, range(*strip.columns))
                move += tv_change(around, length * recipe.tv, wrap)[..., 1:-1, :]
            if recipe.stay > 0:
                move += stay_change(detail.read(strip).add_(move), length * recipe.stay)
            if mask is not None:
                move *= mask.read(strip) > 0
            return move.add_(inside.read(strip)).clamp_(0.0, 1.0)

        rewrite(inside, move_strip, 1, wrap)

    def _canvas(self, x: TensorOrPlane, wrap: bool, fixed: bool) -> PictureCanvas:
        """A canvas with an apron all around, shifted by up to the full stride of the network.

        Shifts smaller than the full stride leave a lattice of dots. Without the apron the network's
        outermost cells, which see padding instead of a picture, would leave the edges undreamed.

        For a seamless texture the apron holds all the cells that see its edges, with their whole
        fields. If its sides are no multiples of the stride, the grid does not close on itself: the
        position of that discontinuity changes with each step (unless `fixed`), so that it leaves no
        visible edge.
        """
        height, width = x.shape[-2:]
        stride, roll = self.network.stride, self.recipe.roll
        apron = APRON * stride
        if wrap and self.network.local:
            field = max(one.reach[1] - one.reach[0] for one in self.network.maps)
            apron = -(-field // stride) * stride
        down, right = (self._random_below(stride), self._random_below(stride)) if roll else (0, 0)
        origin = (0, 0)
        if wrap and roll and not fixed:
            origin = (self._random_below(height), self._random_below(width))
        place = (apron + down, apron + right)
        return PictureCanvas(height, width, 2 * apron + stride, place, wrap, origin)

    def _noise(self, scale: float) -> Noise | None:
        if self.recipe.noise <= 0:
            return None
        return Noise(self.recipe.noise * min(1.0, scale), self._random_below(KEYS))

    def _random_below(self, limit: int) -> int:
        """A random integer, 0 … limit − 1."""
        return int(torch.randint(limit, (), generator=self.random))


def _read_unrolled(plane: Plane, origin: tuple[int, int], window: Window) -> Tensor:
    """A window of a periodic plane whose storage begins at pixel `origin`."""
    rows, columns = (
        [(index - begin) % length for index in range(*span)]
        for span, begin, length in zip(window, origin, plane.shape[-2:], strict=True)
    )
    return gather(plane, rows, columns)


def _mean_magnitude(gradient: Plane, mask: Plane | None, origin: tuple[int, int]) -> float | Tensor:
    """The mean of |gradient|, weighted by the mask; a scalar tensor on a card."""
    device = gradient.device
    if mask is None:
        sizes = (gradient.read(strip).abs() for strip in strips(gradient.shape, device=device))
        return sum_of(sizes, device) / math.prod(gradient.shape)
    weight = sum_of((mask.read(strip) for strip in strips(mask.shape, device=device)), device)
    sizes = (
        _read_unrolled(gradient, origin, strip).abs() * mask.read(strip)
        for strip in strips(mask.shape, device=device)
    )
    total = sum_of(sizes, device)
    if isinstance(weight, Tensor):
        return torch.where(weight > 0, total / (weight * gradient.shape[1]), 0.0)
    return total / (weight * gradient.shape[1]) if weight > 0 else 0.0
