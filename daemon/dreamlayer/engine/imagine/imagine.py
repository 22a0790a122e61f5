"""Imagining from noise: the picture that maximises an objective, without a photo under it.

Activation maximisation (Erhan et al., 2009) on the spectrum of the picture (`spectrum.py`), seen
in views that are turned, scaled, shifted and with noise that decreases from step to step
(`transforms.py`), by Adam (Kingma and Ba, 2014); first at the size networks are trained at, then at
the picture's own. The noise is what makes colours natural and shapes coherent: without it,
patterns too faint to be seen count as much as others.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.imagine.adam import Adam
from dreamlayer.engine.imagine.log_odds import with_log_odds
from dreamlayer.engine.imagine.relu_override import ReluOverride
from dreamlayer.engine.imagine.spectrum import Spectrum
from dreamlayer.engine.imagine.transforms import ViewSampler
from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

STEPS = 16  # for each of the recipe's steps, which are meant for one of many octaves
LEAST_STEPS, MOST_STEPS = 48, 640
RATE = 0.06
NOISE = (0.1, 0.03)  # standard deviation at the first and the last step; the range is 0..1
OVERRIDE_STEPS = (
    16  # after a step without any gradient, gradients pass closed ReLUs for so many steps
)
LEAST_SIDE = 128  # px, of the longer side; smaller pictures are imagined at this size and reduced
COARSE_SIDE = 224  # px, of the longer side, as in training: a picture that starts larger becomes
COARSE = 0.6  # many small things instead of one; so this share of the steps is taken at that size
MARGIN = 1 / 12  # of the picture, on each side: imagined beyond its edges and cut off in the end


def imagine(
    size: tuple[int, int],
    network: Network,
    objective: Objective,
    recipe: Recipe,
    random: torch.Generator,
    nan_guard: NanGuard | None = None,
) -> Generator[float, None, Tensor]:
    """Imagine a picture from noise.

    Args:
        size: (h, w) px, at least 1 × 1.
        network: ends at the objective's layers; the picture is computed on its device.
        objective: what to imagine; a class counts by its log odds (`log_odds.py`).
        recipe: each of its steps is 16 steps here, 48 to 640 in total; `wrap` makes the picture
            seamless.
        random: a generator on the CPU; the same one gives the same picture on the same device.
        nan_guard: replaces and counts non-finite gradients.

    Yields:
        the fraction that is done, after each step; closing the generator there stops it.

    Returns:
        the picture (1, 3, h, w), R, G, B in 0..1, sRGB-encoded, float32.
    """
    steps = min(max(STEPS * recipe.steps, LEAST_STEPS), MOST_STEPS)
    inner = _scaled(size, max(LEAST_SIDE, *size))
    coarse = _scaled(inner, min(COARSE_SIDE, max(inner)))
    stage = _Stage(coarse, network, with_log_odds(objective), recipe.wrap, random, nan_guard)
    for step in range(steps):
        if step == round(COARSE * steps) and coarse != inner:
            stage = stage.enlarged(inner)
        stage.climb(step / steps)
        yield (step + 1) / steps
    return resize.resize(stage.picture(), size, recipe.wrap).clamp(0.0, 1.0)


class _Stage:
    """The ascent at one size (h, w)."""

    def __init__(
        self,
        size: tuple[int, int],
        network: Network,
        objective: Objective,
        wrap: bool,
        random: torch.Generator,
        nan_guard: NanGuard | None,
    ) -> None:
        self.nan_guard = nan_guard or NanGuard()
        self.size, self.network, self.objective = size, network, objective
        view = (max(size[0], network.minimum), max(size[1], network.minimum))
        margin = (round(view[0] * MARGIN), round(view[1] * MARGIN))
        outer = size if wrap else (view[0] + 2 * margin[0], view[1] + 2 * margin[1])
        self.camera = ViewSampler(view, margin, wrap, random)
        self.spectrum = Spectrum(outer, random, network.device)
        self._adam = Adam(self.spectrum.coefficients)
        self._override_left = OVERRIDE_STEPS

    def enlarged(self, size: tuple[int, int]) -> _Stage:
        """The next stage: the same picture at another size."""
        camera = self.camera
        stage = _Stage(
            size, self.network, self.objective, camera.wrap, camera.random, self.nan_guard
        )
        stage.spectrum.copy_from(self.spectrum)
        return stage

    def climb(self, done: float) -> None:
        """Take one step; `done` is the fraction of all steps taken before, 0..1."""
        noise = NOISE[0] + (NOISE[1] - NOISE[0]) * done
        with torch.enable_grad(), ReluOverride() if self._override_left else nullcontext():
            view = self.camera.view(self.spectrum.picture(), noise)
            value = self.objective.value(self.network(view.to(self.network.dtype)))
            (grad,) = torch.autograd.grad(value, self.spectrum.coefficients)
        self._override_left = max(0, self._override_left - 1) if grad.any() else OVERRIDE_STEPS
        self._adam.climb(self.nan_guard.clean(grad), RATE)

    def picture(self) -> Tensor:
        """The picture (1, 3, h, w) without its margin."""
        with torch.no_grad():
            return _middle(self.spectrum.picture(), self.size)


def _scaled(size: tuple[int, int], longer: int) -> tuple[int, int]:
    """A size of the same aspect ratio whose longer side is `longer`."""
    height, width = (max(1, round(side * longer / max(size))) for side in size)
    return height, width


def _middle(picture: Tensor, size: tuple[int, int]) -> Tensor:
    top, left = ((a - b) // 2 for a, b in zip(picture.shape[-2:], size, strict=True))
    return picture[..., top : top + size[0], left : left + size[1]]
