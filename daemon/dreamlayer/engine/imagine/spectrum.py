"""A picture parameterised by its spectrum, in decorrelated colours.

Gradient steps on pixels make grain. Steps on the coefficients of a Fourier transform, weighted as
in natural pictures (amplitude about 1/frequency), make shapes at all scales at once. In the same
way the three channels of a coefficient are not R, G, B, which nearly always rise and fall together,
but light, blue–orange and green–magenta, each weighted by its variance in photographs.

Source: Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017, "preconditioning".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamlayer.engine.image.logits import sigmoid
from dreamlayer.runtime.torch_threads import one_thread

# Colour axes of photographs: the principal axes (columns) of the covariance of the logits of
# R, G, B, each as long as its standard deviation, the first of length 1. Mean covariance of the
# pictures chelsea, coffee, astronaut and rocket in tests/pictures, their samples clamped to
# 0.02..0.98 (tests/engine/test_from_noise.py computes it again).
COLOURS = ((0.566, 0.209, 0.036), (0.589, -0.024, -0.086), (0.577, -0.180, 0.053))
STEEPNESS = 1.25  # amplitude ~ 1/frequency^1.25: smoother than the average picture
REFERENCE = 224  # px; side of a picture whose weights begin with 1
CONTRAST = 0.25
START = 0.01  # standard deviation of the initial coefficients: a nearly grey picture


class Spectrum:
    """The coefficients of a picture (1, 3, h, w); an ascent changes `coefficients`."""

    def __init__(
        self,
        size: tuple[int, int],
        random: torch.Generator | None,
        device: torch.device,
        contrast: float = CONTRAST,
        chroma: float = 1.0,
        lowest: float = 0.0,
        blur: float = 0.0,
    ) -> None:
        """Coefficients drawn from `random`, a nearly grey picture; None: all 0.

        Args:
            contrast: how far all coefficients reach.
            chroma: how far those of the two colour axes do, relative to light.
            blur: px, the standard deviation of a Gaussian that the two colour axes are blurred by.
            lowest: cycles/px; lower frequencies weigh as much as this one. At least that of one
                wave over the picture, as which the mean counts.
        """
        height, width = size
        with one_thread():  # which rounds powers the same whatever the number of threads
            weights = _weights(size, contrast, lowest, blur)
        shape = (1, 3, height, width // 2 + 1, 2)
        start = torch.zeros(shape) if random is None else torch.randn(shape, generator=random)
        self.size = size
        self.coefficients = (start * START).to(device).requires_grad_(True)
        self._weights = (weights * math.sqrt(height * width)).to(device)
        axes = torch.tensor(COLOURS) * torch.tensor((1.0, chroma, chroma))
        self._colours = axes.to(device)

    def copy_from(self, other: Spectrum) -> None:
        """Take over the picture of a spectrum of another size, resized to this one's."""
        area, old = self.size[0] * self.size[1], other.size[0] * other.size[1]
        rows = min(self.size[0], other.size[0])
        columns = min(self.coefficients.shape[3], other.coefficients.shape[3])
        above = (
            rows + 1
        ) // 2  # non-negative vertical frequencies; the negative ones are at the end
        with torch.no_grad():
            waves = other.coefficients * other._weights[..., None] * (area / old)
            for part in (slice(0, above), slice(above - rows, None)):
                kept = waves[:, :, part, :columns] / self._weights[:, part, :columns, None]
                self.coefficients[:, :, part, :columns] = kept

    def picture(self) -> Tensor:
        """The picture (1, 3, h, w), R, G, B in 0..1; periodic at its edges."""
        return sigmoid(self.logits())

    def logits(self) -> Tensor:
        """The logits (1, 3, h, w) of the picture's samples."""
        waves = torch.view_as_complex(self.coefficients) * self._weights
        varied = torch.fft.irfft2(waves, s=self.size)
        return torch.einsum("rc,nchw->nrhw", self._colours, varied)


def _weights(size: tuple[int, int], contrast: float, lowest: float, blur: float) -> Tensor:
    """What the coefficients of light and of the colours are multiplied by: (3, h, w // 2 + 1)."""
    down, right = torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])
    frequency = torch.hypot(down, right).clamp(min=max(lowest, 1 / max(size)))
    weights = contrast * (frequency * REFERENCE) ** (1 - STEEPNESS) / frequency
    blurred = torch.exp(-2 * (math.pi * blur * frequency) ** 2)
    return torch.stack((weights, weights * blurred, weights * blurred))
