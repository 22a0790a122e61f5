"""Separable filters: each output pixel is a weighted sum of input pixels, along both axes.

Resizing and the pyramid use them. A window of the result is computed from just the input window
that it depends on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.engine.image.padding import Border, nearest
from dreamlayer.engine.image.planes import DerivedPlane, Shape, gather, is_card
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
    _matrices: dict[object, tuple[Span, Tensor]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def matrix(self, span: Span, device: torch.device, dtype: torch.dtype) -> tuple[Span, Tensor]:
        """The input pixels that some output pixels need, and (output, input) weights, on a card.

        A card multiplies by zeros faster than it launches what leaves them out.
        """
        key = (span, device, dtype)
        if key not in self._matrices:
            needed, indices, weights = self.for_span(span)
            inputs = Span(min(needed), max(needed) + 1)
            places = (torch.tensor(needed) - inputs.start)[indices]
            dense = torch.zeros(span.length, inputs.length, dtype=weights.dtype)
            dense.scatter_add_(1, places, weights)
            self._matrices[key] = inputs, dense.to(device, dtype)
        return self._matrices[key]

    def for_span(self, span: Span) -> tuple[list[int], Tensor, Tensor]:
        """The input pixels that some output pixels need, and indices and weights in these."""
        indices = self.indices[span.slice()]
        first, last = int(indices.min()), int(indices.max())
        needed = [self.border(index, self.length) for index in range(first, last + 1)]
        return needed, indices - first, self.weights[span.slice()]


@dataclass(frozen=True)
class FilteredPlane(DerivedPlane):
    """A plane filtered along its axes on reading. An axis whose taps are None is unchanged."""

    rows: FilterTaps | None
    columns: FilterTaps | None

    @property
    def shape(self) -> Shape:
        old = self.plane.shape
        both = zip(old[-2:], (self.rows, self.columns), strict=True)
        return (*old[:2], *(len(taps.indices) if taps else length for length, taps in both))

    def read(self, window: Window, step: int = 1) -> Tensor:
        if is_card(self.device):
            return self._read_on_card(window)[..., ::step, ::step]
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

    def _read_on_card(self, window: Window) -> Tensor:
        spans, matrices = list(window), dict[int, Tensor]()
        for axis, taps in enumerate((self.rows, self.columns)):
            if taps is not None:
                spans[axis], matrices[axis] = taps.matrix(window[axis], self.device, self.dtype)
        pixels = self.plane.read(Window(spans[0], spans[1]))
        if 0 in matrices:
            pixels = matrices[0] @ pixels
        return pixels @ matrices[1].t() if 1 in matrices else pixels


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
