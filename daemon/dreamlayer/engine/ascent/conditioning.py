"""What is done to a gradient before a step is taken with it.

The gradient of a network with strides and pooling has far more of the highest frequencies than a
photograph: without them strokes are smoother and the step goes into shapes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamlayer.engine.image import pyramid
from dreamlayer.engine.image.padding import mirrored, nearest, opposite
from dreamlayer.engine.image.planes import (
    Plane,
    StoredPlane,
    copy,
    exact_sum,
    extended_indices,
    gather,
    rewrite,
    strips,
)
from dreamlayer.geometry import Window

BANDS = 3  # octaves of frequency that `laplacian` makes alike; the dream's octaves bring the rest
SMALLEST = 4  # px of a rest's side: a smaller one holds little but the mean
LONGEST_WAVE = 16.0  # px; `spectral` weighs longer ones like this one
HALO = 64  # px; what `spectral` does to pixels further off is less than 1e-4 of what it does
FFT_FACTORS = (2, 3, 5)


def condition(gradient: StoredPlane, kind: str, smooth: float, wrap: bool = False) -> None:
    """Condition a gradient (1, C, H, W) in place, by strips.

    Args:
        kind: "plain", "laplacian" or "spectral".
        smooth: then blur with a Gaussian of this σ in pixels.
        wrap: opposite edges are neighbours.
    """
    if kind == "spectral":
        spectral(gradient, smooth, wrap)
        return
    if kind == "laplacian":
        laplacian(gradient, wrap)
    gaussian(gradient, smooth, wrap)


def gaussian(gradient: StoredPlane, sigma: float, wrap: bool = False) -> None:
    """Blur a gradient (1, C, H, W) in place with a Gaussian of `sigma` pixels; 0 does nothing."""
    if sigma <= 0:
        return
    radius = math.ceil(3 * sigma)
    weights = torch.arange(-radius, radius + 1, dtype=torch.float64).div_(sigma).square_()
    weights = weights.mul_(-0.5).exp_()
    taps = weights.div_(weights.sum()).tolist()
    border = opposite if wrap else nearest

    def blurred(strip: Window) -> Tensor:
        rows, columns = (
            extended_indices(span, radius, length, border)
            for span, length in zip(strip, gradient.shape[-2:], strict=True)
        )
        return _correlated(_correlated(gather(gradient, rows, columns), taps, -2), taps, -1)

    rewrite(gradient, blurred, radius, wrap)


def _correlated(pixels: Tensor, taps: list[float], axis: int) -> Tensor:
    """Each pixel as a weighted sum of its neighbours; shorter by what the taps reach.

    Tap by tap over the whole strip: three times as fast as gathering each pixel's taps.
    """
    length = pixels.shape[axis] - len(taps) + 1
    found = pixels.narrow(axis, 0, length) * taps[0]
    for place, weight in enumerate(taps[1:], start=1):
        found.add_(pixels.narrow(axis, place, length), alpha=weight)
    return found


def laplacian(gradient: StoredPlane, wrap: bool = False) -> None:
    """Give the bands of a gradient's Laplacian pyramid one RMS, in place.

    Source: "laplacian pyramid gradient normalization" of TensorFlow's DeepDream tutorial
    (Mordvintsev, 2015). One RMS for all of a band, so that calm parts of a picture stay calm. The
    rest is weighed as the coarsest band is: with an RMS of its own it makes whole pictures darker.

    Memory: a third of one channel. So each channel's pyramid is made twice, once to be measured.
    """
    count = min(BANDS, int(math.log2(max(1.0, min(gradient.shape[-2:]) / SMALLEST))))
    squares = [0.0] * count
    channels = _channels(gradient)
    for channel in channels:
        bands = pyramid.bands(pyramid.levels(channel, count, wrap), wrap)[:count]
        squares = [a + _mean_square(b) for a, b in zip(squares, bands, strict=True)]
    weights: list[float] = []
    for square in squares:
        size = math.sqrt(square / len(channels))
        weights.append(1.0 / size if size > 0 else weights[-1] if weights else 1.0)
    weights.append(weights[-1] if weights else 1.0)
    for channel in channels:
        # A pixel of the picture itself is read where it is written, and nowhere else.
        copy(pyramid.weighted_sum(pyramid.levels(channel, count, wrap), weights, wrap), channel)


def spectral(gradient: StoredPlane, smooth: float, wrap: bool = False) -> None:
    """Divide a gradient's spectrum by the frequency, as natural pictures have it, and blur it.

    In place. Source: the scaling of the Fourier parameterisation in "Feature visualization" (Olah,
    Mordvintsev, Schubert, 2017). Waves longer than 16 px are not amplified further: they belong
    to coarser octaves, and would make whole pictures darker. So it does not reach far (its impulse
    falls as exp(−2π r / 16)), and large pictures can be computed in strips with a halo. Without
    `wrap` the gradient is continued by its reflection.
    """
    border = opposite if wrap else mirrored
    halo = HALO + math.ceil(3 * smooth)
    for channel in _channels(gradient):

        def found(strip: Window, channel: StoredPlane = channel) -> Tensor:
            both = list(zip(strip, channel.shape[-2:], strict=True))
            around = [0 if wrap and span.length == length else halo for span, length in both]
            rows, columns = (
                extended_indices(span, by, length, border)
                for (span, length), by in zip(both, around, strict=True)
            )
            size = [
                _fast_length(span.length + 2 * by) if by else span.length
                for span, by in zip(strip, around, strict=True)
            ]
            spectrum = torch.fft.rfft2(gather(channel, rows, columns), size)
            spectrum *= _response(size[0], size[1], smooth, channel)
            filtered: Tensor = torch.fft.irfft2(spectrum, size)
            for axis, span, by in zip((-2, -1), strip, around, strict=True):
                filtered = filtered.narrow(axis, by, span.length)
            return filtered.clone()

        # In strips of less than some halos most of the work would be for the halos.
        rewrite(channel, found, 4 * halo, wrap)


def _channels(gradient: StoredPlane) -> list[StoredPlane]:
    return [
        StoredPlane(channel, gradient.format) for channel in torch.split(gradient.storage, 1, dim=1)
    ]


def _mean_square(plane: Plane) -> float:
    """Added up in an order that depends on its size alone."""
    rows = [plane.read(strip).square().sum(dim=-1) for strip in strips(plane.shape)]
    return exact_sum(rows) / math.prod(plane.shape)


def _response(height: int, width: int, smooth: float, like: Plane) -> Tensor:
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
