"""What is done to a gradient before a step is taken with it.

The gradient of a network with strides and pooling has far more of the highest frequencies than a
photograph: without them strokes are smoother and the step goes into shapes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamlayer.engine import pyramid
from dreamlayer.engine.borders import extended, reflected

BANDS = 3  # octaves of frequency that `laplacian` makes alike; the dream's octaves bring the rest
SMALLEST = 4  # px of a rest's side: a smaller one holds little but the mean
LONGEST_WAVE = 16.0  # px; `spectral` weighs longer ones like this one
FFT_FACTORS = (2, 3, 5)


def condition(gradient: Tensor, kind: str, smooth: float, wrap: bool = False) -> Tensor:
    """Condition a gradient (1, C, H, W); it may be written over.

    Args:
        kind: "plain", "laplacian" or "spectral".
        smooth: then blur with a Gaussian of this σ in pixels.
        wrap: opposite edges are neighbours.
    """
    if kind == "spectral":
        return spectral(gradient, smooth, wrap)
    if kind == "laplacian":
        gradient = laplacian(gradient, wrap)
    return gaussian(gradient, smooth, wrap)


def gaussian(gradient: Tensor, sigma: float, wrap: bool = False) -> Tensor:
    """Blur a gradient (1, C, H, W) with a Gaussian of `sigma` pixels; 0 leaves it alone."""
    if sigma <= 0:
        return gradient
    radius = math.ceil(3 * sigma)
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    weights = [weight / sum(weights) for weight in weights]
    # Sums of shifted pictures: a convolution would blow one channel up to the sixteen it likes.
    for axis in (-1, -2):
        length = gradient.shape[axis]
        padded = extended(gradient, axis, radius, radius, wrap)
        gradient = torch.zeros_like(gradient)
        for offset, weight in enumerate(weights):
            gradient.add_(padded.narrow(axis, offset, length), alpha=weight)
    return gradient


def laplacian(gradient: Tensor, wrap: bool = False) -> Tensor:
    """Give the bands of a gradient's Laplacian pyramid one RMS; written over it.

    Source: "laplacian pyramid gradient normalization" of TensorFlow's DeepDream tutorial
    (Mordvintsev, 2015). One RMS for all of a band, so that calm parts of a picture stay calm. The
    rest is weighed as the coarsest band is: with an RMS of its own it makes whole pictures darker.
    """
    bands = min(BANDS, int(math.log2(max(1.0, min(gradient.shape[-2:]) / SMALLEST))))
    levels = pyramid.split(gradient, bands, wrap)
    weight = 1.0
    for level in levels:
        size = float(level.square().mean().sqrt())
        if size > 0 and level is not levels[-1]:
            weight = 1.0 / size
        level.mul_(weight)
    return pyramid.merge(levels, wrap)


def spectral(gradient: Tensor, smooth: float, wrap: bool = False) -> Tensor:
    """Divide a gradient's spectrum by the frequency, as natural pictures have it; and blur it.

    Source: the scaling of the Fourier parameterisation in "Feature visualization" (Olah,
    Mordvintsev, Schubert, 2017). Waves longer than 16 px are not amplified further: they belong
    to coarser octaves, and would make whole pictures darker. Without `wrap` the gradient is
    continued by its reflection.
    """
    margin = 0 if wrap else int(LONGEST_WAVE)
    conditioned = torch.empty_like(gradient)
    for channel in range(gradient.shape[1]):  # one spectrum at a time
        plane = gradient[:, channel : channel + 1]
        if margin:
            for axis in (-2, -1):
                length = plane.shape[axis]
                after = _fast_length(length + 2 * margin) - length - margin
                plane = reflected(plane, axis, margin, after)
        height, width = plane.shape[-2:]
        spectrum = torch.fft.rfft2(plane)
        spectrum *= _response(height, width, smooth, plane)
        plane = torch.fft.irfft2(spectrum, (height, width))
        rows, columns = gradient.shape[-2:]
        conditioned[:, channel : channel + 1] = plane[
            ..., margin : margin + rows, margin : margin + columns
        ]
    return conditioned


def _response(height: int, width: int, smooth: float, like: Tensor) -> Tensor:
    """What each frequency of a real spectrum is multiplied by: 1/f and a Gaussian."""
    down = torch.fft.fftfreq(height, dtype=like.dtype, device=like.device)[:, None]
    right = torch.fft.rfftfreq(width, dtype=like.dtype, device=like.device)
    square = down.square() + right.square()
    blur = torch.exp(square * (-2.0 * (math.pi * smooth) ** 2))
    return blur.mul_(square.add_(LONGEST_WAVE**-2).rsqrt_())


def _fast_length(length: int) -> int:
    """The next length that is a product of 2, 3 and 5: a prime one takes several times as long."""
    while True:
        rest = length
        for factor in FFT_FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
