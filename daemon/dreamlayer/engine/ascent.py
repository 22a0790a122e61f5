"""One octave's climb: shift, noise, gradient, step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.canvas import Canvas
from dreamlayer.engine.conditioning import gaussian
from dreamlayer.engine.gradient import Cut, TiledObjective
from dreamlayer.engine.objectives import Objective
from dreamlayer.engine.tiles import Window
from dreamlink.recipe import Recipe

APRON = 2  # strides of reflected picture around the picture
LEVELS = 255.0  # a step size of 1 changes the picture by 1/255, in the mean over the pixels


@dataclass(frozen=True)
class Ascent:
    """How the steps of a dream are taken.

    `random` is a generator on the CPU, so that a seed means the same on every device. `side` is
    the tiles' side in pixels.
    """

    network: Cut
    objective: Objective
    recipe: Recipe
    side: int
    random: torch.Generator

    @property
    def samples(self) -> int:
        """Gradients that are averaged in one step."""
        return self.recipe.noise_samples if self.recipe.noise > 0 else 1

    def step(self, x: Tensor, window: Window) -> Iterator[float]:
        """Take one step: change `x` (1, 3, H, W; 0..1) in place, inside `window` only.

            shift x at random · g = mean over K noisy copies of the gradient · unshift · smooth
            x ← x + step_size · g / mean|g|

        The norm is one for all tiles and all of the window: with a norm per tile a flat sky would
        become as busy as a castle. Where the gradient is zero everywhere nothing changes.

        Yields:
            the part of this step that is done, after each tile: the place to stop.
        """
        tiled = TiledObjective(self.network, self.objective, self._canvas(x), window, self.side)
        inside = (..., window.rows.slice(), window.columns.slice())
        total = torch.zeros_like(x[inside])
        done = 0.0
        for _ in range(self.samples):
            for share in tiled.add_gradient(self._noisy(x), total):
                done += share / self.samples
                yield min(done, 1.0)
        total = gaussian(total, self.recipe.smooth)
        norm = total.abs().mean()
        if norm > 0:
            total *= self.recipe.step_size / LEVELS / norm
            x[inside].add_(total).clamp_(0.0, 1.0)

    def _canvas(self, x: Tensor) -> Canvas:
        """A canvas with an apron all around, shifted over the full stride of the network.

        Any less than the full stride leaves a lattice of dots. Without the apron the network's
        outermost cells, which see padding instead of a picture, would leave the edges undreamed.
        """
        height, width = x.shape[-2:]
        stride = self.network.stride
        apron = APRON * stride
        shift = [0, 0]
        if self.recipe.roll:
            shift = torch.randint(stride, (2,), generator=self.random).tolist()
        return Canvas(height, width, 2 * apron + stride, (apron + shift[0], apron + shift[1]))

    def _noisy(self, x: Tensor) -> Tensor:
        if self.recipe.noise <= 0:
            return x
        noise = torch.randn(x.shape, generator=self.random).to(x)
        return noise.mul_(self.recipe.noise).add_(x)
