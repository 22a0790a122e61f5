"""From noise: the picture that an objective asks for, with no photo under it.

Activation maximisation (Erhan et al., 2009) on the spectrum of the picture (`spectrum.py`), seen
turned, scaled, shifted and under noise that fades from step to step (`views.py`), by Adam (Kingma
and Ba, 2014). The noise is what makes colours natural and shapes whole: without it, patterns too
faint to be seen count as much.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext

import torch
from torch import Tensor

from dreamlayer.engine import octaves
from dreamlayer.engine.awake import Awake
from dreamlayer.engine.objectives import Objective
from dreamlayer.engine.rivals import against_rivals
from dreamlayer.engine.spectrum import Spectrum
from dreamlayer.engine.views import Camera
from dreamlayer.models.network import Network
from dreamlink.recipe import Recipe

STEPS = 16  # for each of the recipe's, which is the number of steps in one octave of many
LEAST_STEPS, MOST_STEPS = 48, 640
RATE = 0.06
NOISE = (0.1, 0.03)  # standard deviation at the first and the last step, of the range 0..1
WAKING = 16  # steps in which channels that don't answer at all are called, too
LEAST_SIDE = 128  # px, of the longer side; smaller pictures are imagined larger, and reduced
MARGIN = 1 / 12  # of the picture, on each side, imagined beyond its edges and cut off in the end


def imagine(
    size: tuple[int, int],
    network: Network,
    objective: Objective,
    recipe: Recipe,
    random: torch.Generator,
) -> Generator[float, None, Tensor]:
    """Imagine a picture from noise.

    Args:
        size: (h, w) px, at least 1 × 1.
        network: cut for the objective; the picture is computed on its device.
        objective: what to imagine; a class counts by its log odds (`rivals.py`).
        recipe: 16 steps are taken for each of its steps, 48 to 640; `wrap` makes the picture
            seamless.
        random: a generator on the CPU; the same one gives the same picture on the same device.

    Yields:
        the fraction that is done, after each step; closing the generator there stops it.

    Returns:
        the picture (1, 3, h, w), R, G, B in 0..1, sRGB-encoded, float32.
    """
    objective = against_rivals(objective)
    inner = _working_size(size)
    view = (max(inner[0], network.minimum), max(inner[1], network.minimum))
    margin = (round(view[0] * MARGIN), round(view[1] * MARGIN))
    outer = inner if recipe.wrap else (view[0] + 2 * margin[0], view[1] + 2 * margin[1])
    spectrum = Spectrum(outer, random, network.device)
    camera = Camera(view, margin, recipe.wrap, random)
    adam = _Adam(spectrum.coefficients)
    steps = min(max(STEPS * recipe.steps, LEAST_STEPS), MOST_STEPS)
    asleep = WAKING
    for step in range(steps):
        noise = NOISE[0] + (NOISE[1] - NOISE[0]) * step / steps
        with torch.enable_grad(), Awake() if asleep else nullcontext():
            seen = camera.view(spectrum.picture(), noise)
            value = objective.value(network(seen.to(network.dtype)))
            (slope,) = torch.autograd.grad(value, spectrum.coefficients)
        asleep = max(0, asleep - 1) if slope.any() else WAKING
        adam.climb(slope, RATE)
        yield (step + 1) / steps
    with torch.no_grad():
        picture = _middle(spectrum.picture(), inner)
        return octaves.resize(picture, size, recipe.wrap).clamp(0.0, 1.0)


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size to imagine in: the very size, unless there is no room for a thing in it."""
    factor = max(1.0, LEAST_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _middle(picture: Tensor, size: tuple[int, int]) -> Tensor:
    top, left = ((a - b) // 2 for a, b in zip(picture.shape[-2:], size, strict=True))
    return picture[..., top : top + size[0], left : left + size[1]]


class _Adam:
    """Adam, uphill. torch's own brings its compiler along: two seconds before the first step."""

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers
        self.mean = torch.zeros_like(numbers)
        self.square = torch.zeros_like(numbers)
        self.steps = 0

    def climb(self, slope: Tensor, rate: float) -> None:
        """Change the numbers in place, each by about `rate`."""
        self.steps += 1
        self.mean.lerp_(slope, 1 - 0.9)
        self.square.mul_(0.999).addcmul_(slope, slope, value=1 - 0.999)
        mean = self.mean / (1 - 0.9**self.steps)
        spread = (self.square / (1 - 0.999**self.steps)).sqrt_()
        with torch.no_grad():
            self.numbers.addcdiv_(mean, spread.add_(1e-16), value=rate)
