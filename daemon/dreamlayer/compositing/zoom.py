"""Enlarges a picture about its centre, in its own layout: one step of a dive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import strips
from dreamlayer.geometry import Window
from dreamlink.picture import Picture

FAINT = 1 / 255  # opacity; below it, colours are not divided by it
OPAQUE = 1 - 1e-5  # opacity, except for rounding errors


def zoom_pixels(raw: pixels.Raw, picture: Picture, factor: float, wrap: bool = False) -> pixels.Raw:
    """Enlarge pixels (h, w, samples) by `factor` about the centre; the size stays the same.

    Colours are weighted by their opacity. Bicubic, clamped to the picture's own range. Non-finite
    values become black.
    """
    samples = _SamplesPlane(raw, picture)
    enlarged = resize.zoom_plane(samples, factor, wrap)
    low, high = _range(samples)
    fresh = np.empty_like(raw)
    for strip in strips(enlarged.shape):
        planes = enlarged.read(strip)[0].numpy()
        rows = fresh[strip.rows.slice()]
        colours, opacity = samples.separate(planes)
        everywhere = np.ones(rows.shape[:2], np.bool_)
        pixels.write_colours(rows, picture, np.clip(colours, low, high), everywhere)
        if opacity is not None:
            pixels.write_alpha(rows, picture, opacity)
    return fresh


@dataclass(frozen=True)
class _SamplesPlane:
    """Raw pixels as a plane of all channels to resample.

    These are the colours; with alpha also the colours times alpha, and alpha.
    """

    raw: pixels.Raw
    picture: Picture

    @property
    def colours(self) -> int:
        return 1 if self.picture.order in ("G", "GA") else 3

    @property
    def shape(self) -> tuple[int, ...]:
        count = 2 * self.colours + 1 if "A" in self.picture.order else self.colours
        return (1, count, *self.raw.shape[:2])

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def read(self, window: Window, step: int = 1) -> Tensor:
        rows, columns = (slice(span.start, span.stop, step) for span in window)
        raw = self.raw[rows, columns]
        colours = np.nan_to_num(
            pixels.read_colours(raw, self.picture), nan=0.0, posinf=0.0, neginf=0.0
        )
        opacity = pixels.read_alpha(raw, self.picture)
        if opacity is None:
            return torch.from_numpy(colours)[None]
        return torch.from_numpy(np.concatenate([colours, colours * opacity, opacity[None]]))[None]

    def separate(self, planes: pixels.Planes) -> tuple[pixels.Planes, pixels.Planes | None]:
        """Split resampled planes of this kind into colours (1 or 3, h, w) and opacity (h, w)."""
        if len(planes) == self.colours:
            return planes, None
        plain, weighed, opacity = planes[: self.colours], planes[self.colours : -1], planes[-1]
        colours = np.where(opacity > FAINT, weighed / np.maximum(opacity, FAINT), plain)
        return colours, np.where(opacity > OPAQUE, 1.0, np.maximum(opacity, 0.0))


def _range(samples: _SamplesPlane) -> tuple[float, float]:
    """The lowest and the highest colour value."""
    colours = (samples.read(strip)[:, : samples.colours] for strip in strips(samples.shape))
    ends = [(float(some.min()), float(some.max())) for some in colours]
    return min(low for low, _ in ends), max(high for _, high in ends)
