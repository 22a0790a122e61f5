"""Conditioning: what is done to a gradient before it is used for a step.

The gradient of a network with strides and pooling has far more of the highest frequencies than a
photograph. With those reduced, strokes are smoother and steps go into shapes.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.engine.image import pyramid
from dreamlayer.engine.image.padding import mirrored, nearest, opposite
from dreamlayer.engine.image.planes import (
    Plane,
    StoredPlane,
    as_stored_plane,
    copy,
    exact_sum,
    extended_indices,
    gather,
    is_card,
    read_all,
    rewrite,
    strips,
)
from dreamlayer.geometry import Window
from dreamlayer.runtime.torch_threads import one_thread

BANDS = 3  # octaves of frequency equalised by `laplacian`; the dream's octaves cover the others
SMALLEST = 4  # px, least side of the rest: a smaller one holds little but the mean
LONGEST_WAVE = 16.0  # px; `spectral` gives longer waves the weight of this one
HALO = 64  # px; beyond that, the influence of a pixel in `spectral` is less than 1e-4
FFT_FACTORS = (2, 3, 5)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: the share of R, G and B in the luma
COLOUR_BLUR = 3.0  # px; σ of the blur of a step's colours where they are calmed fully


def condition(
    gradient: StoredPlane, kind: str, smooth: float, calm: float = 0.0, wrap: bool = False
) -> None:
    """Condition a gradient (1, 3, H, W) in place, by strips.

    Args:
        kind: "plain", "laplacian" or "spectral".
        smooth: then blur with a Gaussian of this σ in pixels.
        calm: then damp and blur the colours this much, 0..1; see `calm_colours`.
        wrap: opposite edges are neighbours.
    """
    if kind == "spectral":
        spectral(gradient, smooth, wrap)
    else:
        if kind == "laplacian":
            laplacian(gradient, wrap)
        gaussian(gradient, smooth, wrap)
    calm_colours(gradient, calm, wrap)


def gaussian(gradient: StoredPlane, sigma: float, wrap: bool = False) -> None:
    """Blur a gradient (1, C, H, W) in place with a Gaussian of `sigma` pixels; 0: no change."""
    if sigma <= 0:
        return
    taps = _gaussian_taps(sigma)
    radius = len(taps) // 2

    def blur_strip(strip: Window) -> Tensor:
        return _blur(_surroundings(gradient, strip, radius, wrap), taps)

    rewrite(gradient, blur_strip, radius, wrap)


def calm_colours(gradient: StoredPlane, calm: float, wrap: bool = False) -> None:
    """Damp and blur the chroma of a gradient (1, 3, H, W) in place; its luma stays.

    The gradient changes colours from pixel to pixel as much as lightness, which no photograph does:
    it shows as coloured speckle, most of all in dark places. An eye sees colours less sharply than
    lightness, so coarser and weaker ones lose no shape.

    Args:
        calm: the chroma is multiplied by 1 − calm and blurred with a Gaussian of σ 3 px · calm.
            0: no change, not one bit. 1: no colours, lightness only.
        wrap: opposite edges are neighbours.
    """
    if calm <= 0:
        return
    taps = _gaussian_taps(COLOUR_BLUR * calm)
    radius = len(taps) // 2

    def calm_strip(strip: Window) -> Tensor:
        around = _surroundings(gradient, strip, radius, wrap)
        luma = _luma(around)
        chroma = _blur(around.sub_(luma), taps).mul_(1.0 - calm)
        return chroma.add_(luma[..., radius:-radius, radius:-radius])

    rewrite(gradient, calm_strip, radius, wrap)


def _luma(colours: Tensor) -> Tensor:
    """The luma of (1, 3, H, W) as (1, 1, H, W)."""
    red, green, blue = (colours.narrow(1, channel, 1) for channel in range(3))
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def _gaussian_taps(sigma: float) -> list[float]:
    """The weights of a Gaussian of `sigma` pixels, cut off at 3 σ; their sum is 1."""
    radius = math.ceil(3 * sigma)
    weights = torch.arange(-radius, radius + 1, dtype=torch.float64).div_(sigma).square_()
    weights = weights.mul_(-0.5).exp_()
    taps: list[float] = weights.div_(weights.sum()).tolist()
    return taps


def _surroundings(gradient: StoredPlane, strip: Window, radius: int, wrap: bool) -> Tensor:
    """A strip and `radius` pixels around it, continued beyond the gradient's edges."""
    border = opposite if wrap else nearest
    rows, columns = (
        extended_indices(span, radius, length, border)
        for span, length in zip(strip, gradient.shape[-2:], strict=True)
    )
    return gather(gradient, rows, columns)


def _blur(around: Tensor, taps: list[float]) -> Tensor:
    """Correlate rows and columns with `taps`; smaller by the number of taps − 1 on both axes."""
    return _correlate(_correlate(around, taps, -2), taps, -1)


def _correlate(pixels: Tensor, taps: list[float], axis: int) -> Tensor:
    """Each pixel as a weighted sum of its neighbours; shorter by the number of taps − 1.

    Tap by tap over the whole strip: three times as fast as gathering each pixel's taps. On a card
    as one convolution.
    """
    if is_card(pixels.device):
        return _convolved(pixels, taps, axis)
    length = pixels.shape[axis] - len(taps) + 1
    total = pixels.narrow(axis, 0, length) * taps[0]
    for place, weight in enumerate(taps[1:], start=1):
        total.add_(pixels.narrow(axis, place, length), alpha=weight)
    return total


def _convolved(pixels: Tensor, taps: list[float], axis: int) -> Tensor:
    channels, shape = pixels.shape[1], [1, 1]
    shape[axis] = len(taps)
    row = _on_device(tuple(taps), pixels.device, pixels.dtype)
    return F.conv2d(pixels, row.view(1, 1, *shape).expand(channels, 1, *shape), groups=channels)


@functools.lru_cache(maxsize=64)
def _on_device(numbers: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.tensor(numbers, device=device, dtype=dtype)


def laplacian(gradient: StoredPlane, wrap: bool = False) -> None:
    """Normalise the bands of a gradient's Laplacian pyramid to the same RMS, in place.

    Source: "laplacian pyramid gradient normalization" of TensorFlow's DeepDream tutorial
    (Mordvintsev, 2015). One RMS per band for the whole picture, so that calm parts stay calm. The
    rest gets the weight of the coarsest band: normalised by its own RMS it would darken whole
    pictures.

    Memory: a third of one channel. For that, each channel's pyramid is built twice, the first time
    to measure it. On a card two gradients, for few launches.
    """
    count = min(BANDS, int(math.log2(max(1.0, min(gradient.shape[-2:]) / SMALLEST))))
    if is_card(gradient.device):
        _laplacian_at_once(gradient, count, wrap)
        return
    squares = [0.0] * count
    channels = _channels(gradient)
    kept: list[Plane] = []
    for channel in channels:
        kept = pyramid.levels(channel, count, wrap)
        bands = pyramid.bands(kept, wrap)[:count]
        squares = [a + _mean_square(b) for a, b in zip(squares, bands, strict=True)]
    weights: list[float] = []
    for square in squares:
        weights.append(_band_weight(square / len(channels), weights[-1] if weights else 1.0))
    weights.append(weights[-1] if weights else 1.0)
    for channel in channels:
        if len(channels) > 1:
            kept = pyramid.levels(channel, count, wrap)
        # Each pixel of the full-size level is read only where it is written.
        copy(pyramid.weighted_sum(kept, weights, wrap), channel)


def _laplacian_at_once(gradient: StoredPlane, count: int, wrap: bool) -> None:
    """The same with all channels together, and with bands that are computed once.

    The rest and the coarsest band have the same weight: together they are the level before it.
    """
    if not count:
        return
    levels = pyramid.levels(gradient, count, wrap)
    bands = [read_all(band) for band in pyramid.bands(levels, wrap)[:count]]
    norms = torch.stack([torch.linalg.vector_norm(band) for band in bands])
    roots = tuple(math.sqrt(band.numel()) for band in bands)
    weights = _on_device(roots, norms.device, norms.dtype) / norms
    weights.nan_to_num_(nan=1.0, posinf=1.0)  # of a band that is 0: what it is does not matter
    total = read_all(levels[count - 1]) * weights[count - 1]
    for band, weight, level in reversed(list(zip(bands, weights, levels, strict=False))[:-1]):
        enlarged = read_all(pyramid.enlarge(as_stored_plane(total), level, wrap))
        total = enlarged.addcmul_(band, weight)
    gradient.write(Window.whole(*gradient.shape[-2:]), total)


def _band_weight(mean_square: float, otherwise: float) -> float:
    """What makes a band's RMS 1; `otherwise` if it is 0."""
    size = math.sqrt(mean_square)
    return 1.0 / size if size > 0 else otherwise


def spectral(gradient: StoredPlane, smooth: float, wrap: bool = False) -> None:
    """Divide a gradient's spectrum by the frequency, as in natural pictures, and blur it.

    In place. Source: the scaling of the Fourier parameterisation in "Feature visualization" (Olah,
    Mordvintsev, Schubert, 2017). Waves longer than 16 px are not amplified further: they belong
    to coarser octaves, and would darken whole pictures. This also limits the reach of the filter
    (its impulse response falls as exp(−2π r / 16)), so that large pictures can be computed in
    strips with a halo. Without `wrap` the gradient is continued by its reflection.
    """
    border = opposite if wrap else mirrored
    halo = HALO + math.ceil(3 * smooth)
    for channel in _channels(gradient):

        def filter_strip(strip: Window, channel: StoredPlane = channel) -> Tensor:
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
            spectrum *= _response(size[0], size[1], smooth, channel.device, channel.dtype)
            filtered: Tensor = torch.fft.irfft2(spectrum, size)
            for axis, span, by in zip((-2, -1), strip, around, strict=True):
                filtered = filtered.narrow(axis, by, span.length)
            return filtered.clone()

        # In strips lower than a few halos most of the work would be done for the halos.
        rewrite(channel, filter_strip, 4 * halo, wrap)


def _channels(gradient: StoredPlane) -> list[StoredPlane]:
    """The channels one by one, which saves memory; on a card together, which saves launches."""
    if is_card(gradient.device):
        return [gradient]
    return [
        StoredPlane(channel, gradient.format) for channel in torch.split(gradient.storage, 1, dim=1)
    ]


def _mean_square(plane: Plane) -> float:
    """Summed in an order that depends on the plane's size only."""
    rows = [plane.read(strip).square().sum(dim=-1) for strip in strips(plane.shape)]
    return exact_sum(rows) / math.prod(plane.shape)


@functools.lru_cache(maxsize=4)
def _response(
    height: int, width: int, smooth: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """The factor for each frequency of a real spectrum: 1/f and a Gaussian."""
    down = torch.fft.fftfreq(height, dtype=dtype, device=device)[:, None]
    right = torch.fft.rfftfreq(width, dtype=dtype, device=device)
    square = down.square() + right.square()
    with one_thread():  # which rounds these the same whatever the number of threads
        blur = torch.exp(square * (-2.0 * (math.pi * smooth) ** 2))
        return blur.mul_(square.add_(LONGEST_WAVE**-2).rsqrt_())


def _fast_length(length: int) -> int:
    """The next length with no prime factors but 2, 3 and 5; a prime takes several times as long."""
    while True:
        rest = length
        for factor in FFT_FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
