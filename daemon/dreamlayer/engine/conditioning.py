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
    """Condition a gradient (1, C, H, W) in place; it is returned.

    Channel by channel: it takes about four planes (H, W) of memory more.

    Args:
        kind: "plain", "laplacian" or "spectral".
        smooth: then blur with a Gaussian of this σ in pixels.
        wrap: opposite edges are neighbours.
    """
    if kind == "spectral":
        return spectral(gradient, smooth, wrap)
    if kind == "laplacian":
        laplacian(gradient, wrap)
    return gaussian(gradient, smooth, wrap)


def gaussian(gradient: Tensor, sigma: float, wrap: bool = False) -> Tensor:
    """Blur a gradient (1, C, H, W) in place with a Gaussian of `sigma` pixels; 0 does nothing."""
    if sigma <= 0:
        return gradient
    radius = math.ceil(3 * sigma)
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    weights = [weight / sum(weights) for weight in weights]
    # Sums of shifted pictures: a convolution would blow one channel up to the sixteen it likes.
    for plane in _planes(gradient):
        for axis in (-1, -2):
            length = plane.shape[axis]
            padded = extended(plane, axis, radius, radius, wrap)
            plane.zero_()
            for offset, weight in enumerate(weights):
                plane.add_(padded.narrow(axis, offset, length), alpha=weight)
    return gradient


def laplacian(gradient: Tensor, wrap: bool = False) -> Tensor:
    """Give the bands of a gradient's Laplacian pyramid one RMS, in place.

    Source: "laplacian pyramid gradient normalization" of TensorFlow's DeepDream tutorial
    (Mordvintsev, 2015). One RMS for all of a band, so that calm parts of a picture stay calm. The
    rest is weighed as the coarsest band is: with an RMS of its own it makes whole pictures darker.
    """
    count = min(BANDS, int(math.log2(max(1.0, min(gradient.shape[-2:]) / SMALLEST))))
    pyramids = [pyramid.split(plane, count, wrap) for plane in _planes(gradient)]
    weight = 1.0
    for number in range(count + 1):
        levels = [one[number] for one in pyramids]
        size = math.sqrt(sum(float(level.square().mean()) for level in levels) / len(levels))
        if size > 0 and number < count:
            weight = 1.0 / size
        for level in levels:
            level.mul_(weight)
    for one in pyramids:
        pyramid.merge(one, wrap)
    return gradient


def spectral(gradient: Tensor, smooth: float, wrap: bool = False) -> Tensor:
    """Divide a gradient's spectrum by the frequency, as natural pictures have it, and blur it.

    In place. Source: the scaling of the Fourier parameterisation in "Feature visualization" (Olah,
    Mordvintsev, Schubert, 2017). Waves longer than 16 px are not amplified further: they belong
    to coarser octaves, and would make whole pictures darker. Without `wrap` the gradient is
    continued by its reflection.
    """
    rows, columns = gradient.shape[-2:]
    margin = 0 if wrap else int(LONGEST_WAVE)
    for plane in _planes(gradient):
        padded = plane
        if margin:
            for axis in (-2, -1):
                length = plane.shape[axis]
                after = _fast_length(length + 2 * margin) - length - margin
                padded = reflected(padded, axis, margin, after)
        height, width = padded.shape[-2:]
        spectrum = torch.fft.rfft2(padded)
        del padded
        spectrum *= _response(height, width, smooth, plane)
        found = torch.fft.irfft2(spectrum, (height, width))
        plane.copy_(found[..., margin : margin + rows, margin : margin + columns])
    return gradient


def _planes(gradient: Tensor) -> list[Tensor]:
    """Views of the single channels."""
    return [gradient[:, channel : channel + 1] for channel in range(gradient.shape[1])]


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
