"""Separable filters: each output pixel is a weighted sum of input pixels, along both axes.

Resizing and the pyramid use them. A window of the result is computed from just the input window
that it depends on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.engine.image.padding import Border, nearest
from dreamlayer.engine.image.planes import Plane, Shape, gather
from dreamlayer.geometry import Span, Window


@dataclass(frozen=True)
class FilterTaps:
    """The filter along one axis with `length` input pixels.

    Attributes:
        indices: (new length, taps) int64, the input pixels of each output pixel; they may lie
            beyond the ends, where `border` maps them to pixels inside.
        weights: (new length, taps), float64.
    """

    length: int
    indices: Tensor
    weights: Tensor
    border: Border = nearest

    def for_span(self, span: Span) -> tuple[list[int], Tensor, Tensor]:
        """The input pixels that some output pixels need, and indices and weights in these."""
        indices = self.indices[span.slice()]
        first, last = int(indices.min()), int(indices.max())
        needed = [self.border(index, self.length) for index in range(first, last + 1)]
        return needed, indices - first, self.weights[span.slice()]


@dataclass(frozen=True)
class FilteredPlane:
    """A plane filtered along its axes on reading. An axis whose taps are None is unchanged."""

    plane: Plane
    rows: FilterTaps | None
    columns: FilterTaps | None

    @property
    def shape(self) -> Shape:
        old = self.plane.shape
        both = zip(old[-2:], (self.rows, self.columns), strict=True)
        return (*old[:2], *(len(taps.indices) if taps else length for length, taps in both))

    @property
    def dtype(self) -> torch.dtype:
        return self.plane.dtype

    @property
    def device(self) -> torch.device:
        return self.plane.device

    def read(self, window: Window, step: int = 1) -> Tensor:
        axes = [
            taps.for_span(span) if taps else (range(span.start, span.stop), None, None)
            for taps, span in zip((self.rows, self.columns), window, strict=True)
        ]
        pixels = gather(self.plane, axes[0][0], axes[1][0])
        if axes[0][1] is not None:
            pixels = weighted_rows(pixels, axes[0][1], axes[0][2])
        if axes[1][1] is not None:
            turned = pixels.transpose(-1, -2)
            pixels = weighted_rows(turned, axes[1][1], axes[1][2]).transpose(-1, -2).contiguous()
        return pixels[..., ::step, ::step]


def weighted_rows(picture: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of the rows of a picture (1, C, H, W): (1, C, n, W).

    Done as an embedding bag: that kernel reads each row and writes each sum just once.

    Args:
        indices: (n, taps) int64, rows of the picture.
        weights: (n, taps).
    """
    indices, weights = indices.to(picture.device), weights.to(picture)
    rows = [
        F.embedding_bag(indices, channel, per_sample_weights=weights, mode="sum")
        for channel in picture[0].contiguous()
    ]
    return torch.stack(rows)[None]
