"""Separable filters: each new pixel is a weighted sum of old ones, along both axes.

Resizing and the pyramid are this, and a window of the result can be computed from the window that
it sees.
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
    """How one axis of `length` pixels is filtered.

    Attributes:
        places: (new length, taps) int64, the pixels that each new one is made of; they may lie
            beyond the ends, where `border` says what is seen.
        weights: (new length, taps), float64.
    """

    length: int
    indices: Tensor
    weights: Tensor
    border: Border = nearest

    def for_span(self, span: Span) -> tuple[list[int], Tensor, Tensor]:
        """For some new pixels: the old ones they need, and places and weights among these."""
        indices = self.indices[span.slice()]
        first, last = int(indices.min()), int(indices.max())
        needed = [self.border(place, self.length) for place in range(first, last + 1)]
        return needed, indices - first, self.weights[span.slice()]


@dataclass(frozen=True)
class FilteredPlane:
    """A plane filtered along its axes, whenever it is read. An axis without taps stays."""

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
        found = gather(self.plane, axes[0][0], axes[1][0])
        if axes[0][1] is not None:
            found = weighted_rows(found, axes[0][1], axes[0][2])
        if axes[1][1] is not None:
            turned = found.transpose(-1, -2)
            found = weighted_rows(turned, axes[1][1], axes[1][2]).transpose(-1, -2).contiguous()
        return found[..., ::step, ::step]


def weighted_rows(picture: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Rows as weighted sums of a picture's rows (1, C, H, W): (1, C, n, W).

    An embedding bag: torch's kernel for it reads each row once and writes each sum once.

    Args:
        places: (n, taps) int64, rows of the picture.
        weights: (n, taps).
    """
    indices, weights = indices.to(picture.device), weights.to(picture)
    rows = [
        F.embedding_bag(indices, channel, per_sample_weights=weights, mode="sum")
        for channel in picture[0].contiguous()
    ]
    return torch.stack(rows)[None]
