"""The ascent of one stage of a painting.

    x = sigmoid(logit(base) + shown · (start + M · F⁻¹(w · c)))

c are the coefficients that Adam changes, from 0; M are decorrelated colours and w the weights of
frequencies in natural pictures (`imagine/spectrum.py`). The network sees x in random views. Its
gradient at a view's pixels is the tiled one of every dream; only view, sigmoid and spectrum are
differentiated by torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.engine.ascent.region_norms import RegionNorms
from dreamlayer.engine.ascent.whole_work import is_placeless
from dreamlayer.engine.image.logits import logit, sigmoid
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.noise import Noise
from dreamlayer.engine.image.planes import ComputedPlane, as_plane, is_card
from dreamlayer.engine.imagine.adam import Adam
from dreamlayer.engine.imagine.spectrum import CONTRAST, Spectrum
from dreamlayer.engine.imagine.transforms import ViewSampler
from dreamlayer.engine.objectives.regional import AnyObjective, RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.painting.copy_levels import CopyLevels
from dreamlayer.engine.painting.region import PaintedRegion
from dreamlayer.engine.painting.whole_step import PaintedStep
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window
from dreamlink.recipe.recipe import Recipe

SQUARE_MEMORY = 0.99  # of Adam: there are few steps, and each sees another view
NOISE = (0.08, 0.02)  # standard deviation at a painting's first and last step; the range is 0..1
LOWEST = 1 / 48  # cycles/px: slower changes would tint whole areas
BLUR = 3.0  # px; σ of what the colours are blurred by, times `calm_colours`
SHIFT = 12  # px: views are shifted by up to this, down and right
SHARE_SIDE = 6  # px that one value of a region's share stands for: views of it cost time
LEAST_CHANGE = 0.01  # mean, of the range 0..1; less does not tell which region falls behind
LARGEST_BOOST = 2.5  # of a region that has changed less than another; more drowns what is opposed
SAFE = 0.02  # black and white, whose logits are infinite, count as so far from 0 and 1
KEYS = 2**31  # number of noise patterns


class StagePainter:
    """Paints one region.

    Args:
        region: what is painted.
        start: (1, 3, h, w) of the region, the logits to begin with; None: 0.
        contrast: factor of all that is added.
        chroma: factor of what is added in colour, relative to light.
        random: a generator on the CPU, so that a seed means the same on every device.
        rate: of Adam.
        plan: of the tiles.
        levels: what measures the regions of a dream map.
    """

    def __init__(
        self,
        region: PaintedRegion,
        start: Tensor | None,
        network: TileableNetwork,
        objective: AnyObjective,
        recipe: Recipe,
        contrast: float,
        chroma: float,
        random: torch.Generator,
        nan_guard: NanGuard,
        rate: float,
        plan: TilePlan,
        levels: CopyLevels | None = None,
    ) -> None:
        self._rate, self._plan = rate, plan
        self.region, self.network, self.objective = region, network, objective
        self.recipe, self.random, self.nan_guard = recipe, random, nan_guard
        size, device = region.size, region.base.device
        wrap = not any(region.margin)
        view = (max(size[0], network.minimum), max(size[1], network.minimum)) if wrap else size
        self._camera = ViewSampler(view, (SHIFT, SHIFT), wrap, random)
        self._spectrum = Spectrum(
            size, None, device, CONTRAST * contrast, chroma, LOWEST,
            BLUR * recipe.calm_colours,
        )  # fmt: skip
        self._adam = Adam(self._spectrum.coefficients, SQUARE_MEMORY)
        self._logits = logit(region.base.float(), SAFE)
        self._start = torch.zeros_like(self._logits) if start is None else start
        self._shares: Tensor | None = None  # of the region
        self._levels = levels
        self._boosts: Sequence[float] = ()
        if levels is not None:
            shares = levels.objective.shares
            planes = region.spread(shares.planes, shares.wrap).to(device).clamp(0.0, 1.0)
            few = (-(-size[0] // SHARE_SIDE), -(-size[1] // SHARE_SIDE))
            self._shares = planes if wrap else F.adaptive_avg_pool2d(planes, few)
        self._whole: PaintedStep | None = None
        if is_card(device) and network.local and not wrap and is_placeless(objective):
            tiled = self._tiled(objective, None)
            self._whole = PaintedStep.of(tiled, self._picture, self._adam, rate)

    def step(self, done: float) -> Iterator[float]:
        """Take one step; `done` is the share of the painting's steps taken before, 0..1.

        Yields:
            the share of this step that is done, after each tile.
        """
        sigma = NOISE[0] + (NOISE[1] - NOISE[0]) * done
        if self._whole is None:
            yield from self._tiled_step(sigma, None, None)
            return
        place, noise = self._camera.placement(self.region.size), self._noise(sigma)
        if self._whole.take(place, noise):
            yield 1.0
            return
        self._whole = None
        yield from self._tiled_step(sigma, place, noise)

    def close(self) -> None:
        """Drop what was recorded."""
        if self._whole is not None:
            self.network.forget_steps()

    def _tiled_step(
        self, sigma: float, place: Tensor | None, noise: Noise | None
    ) -> Iterator[float]:
        """Take a step tile by tile, with what was drawn for it already."""
        with torch.enable_grad():
            view, objective = self._view(place)
        seen = view.detach().to(self.region.base.dtype)
        tiled = self._tiled(objective, noise or self._noise(sigma))
        total, share = torch.zeros_like(seen), 0.0
        for part in tiled.add_gradient(seen, total):
            share += part
            yield min(share, 1.0)
        if isinstance(objective, RegionalObjective):
            norms = RegionNorms.of(objective.shares, self._camera.size, as_plane(total).read)
            total *= norms.factors(tiled.window, self._boosts)
        (grad,) = torch.autograd.grad(view, self._spectrum.coefficients, total.to(view.dtype))
        self._adam.climb(self.nan_guard.clean(grad), self._rate)

    def _tiled(self, objective: AnyObjective, noise: Noise | None) -> TiledObjective:
        size = self._camera.size
        canvas, window = PictureCanvas(*size, noise=noise), Window.whole(*size)
        return TiledObjective(
            self.network, objective, canvas, window, self._plan, None, self.nan_guard
        )

    def _noise(self, sigma: float) -> Noise:
        return Noise(sigma, int(torch.randint(KEYS, (), generator=self.random)))

    def _view(self, place: Tensor | None) -> tuple[Tensor, AnyObjective]:
        """A random view (1, 3, h, w) of the picture so far, and the objective in it."""
        picture = self._picture()
        view, shares = self._camera.transformed_with(picture, self._shares, place)
        if shares is None or self._levels is None:
            return view, self.objective
        if self._levels.begin_step():
            so_far = self._inner(picture.detach())
            self._levels.learn(so_far)
            self._boosts = self._measured_boosts(so_far, self._levels.objective.shares)
        objective = self._levels.objective
        seen = objective.shares.with_planes(shares, wrap=False)
        return view, replace(objective, shares=seen)

    def _measured_boosts(self, so_far: Tensor, shares: ShareMap) -> Sequence[float]:
        """Factors for the regions' gradients, the larger the less has changed there so far.

        Adam divides each frequency by its own norm over the whole picture, so equally large
        gradients do not change their regions equally: one of few and coarse shapes, or in a bright
        sky, falls behind.
        """
        size, base = self.region.window.size, self.region.inner(self.region.base)
        change = ComputedPlane(torch.sub, (as_plane(so_far), as_plane(base)))
        shown = as_plane(self.region.inner(self.region.shown))
        changes = RegionNorms.of(shares, size, change.read, shown).means
        most = max(changes)
        if most < LEAST_CHANGE:
            return [1.0] * len(changes)
        return [most / max(change, most / LARGEST_BOOST) for change in changes]

    def added(self) -> Tensor:
        """The logits (1, 3, h, w) added to the window so far, before `shown`."""
        with torch.no_grad():
            return self.region.inner(self._start + self._spectrum.logits()).contiguous()

    def picture(self) -> Tensor:
        """The window (1, 3, h, w) of the picture so far."""
        with torch.no_grad():
            return self._inner(self._picture())

    def _inner(self, picture: Tensor) -> Tensor:
        return self.region.inner(picture).to(self.region.base.dtype)

    def _picture(self) -> Tensor:
        added = self.region.shown * (self._start + self._spectrum.logits())
        return sigmoid(self._logits + added)
