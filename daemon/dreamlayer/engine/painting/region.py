"""The part of a picture that a stage of painting shows to the network, with a margin around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.image.padding import opposite, reflected
from dreamlayer.engine.image.planes import Plane, StoredPlane, clip, extended_indices, gather
from dreamlayer.geometry import Span, Window

MARGIN = 24  # px around the window: its surroundings, or the reflection beyond the picture's edges


@dataclass(frozen=True)
class PaintedRegion:
    """A window at a stage's size, with a margin, or a whole seamless picture.

    Attributes:
        window: the painted part of the picture, at the stage's size.
        rows, columns: the picture's row and column of each pixel of the region, (h) and (w).
        base: (1, 3, h, w), the picture without the dream, R, G, B in 0..1.
        shown: (1, 1, h, w), 1 where the dream is added, else 0: outside of the window, and where
            the mask is 0.
        margin: (rows, columns) px around the window.
    """

    window: Window
    rows: Sequence[int]
    columns: Sequence[int]
    base: Tensor
    shown: Tensor
    margin: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) px."""
        return len(self.rows), len(self.columns)

    def inner(self, values: Tensor) -> Tensor:
        """The window's part of values (1, C, h, w) of the region."""
        (down, right), (height, width) = self.margin, self.window.size
        return values[..., down : down + height, right : right + width]

    def spread(self, values: Tensor, wrap: bool) -> Tensor:
        """Values (1, C, rows, columns) of a window of any size for the whole region.

        They are resized to the window, and reflected in the margin.
        """
        values = resize.resize(values, self.window.size, wrap)
        for axis, margin in zip((-2, -1), self.margin, strict=True):
            length = values.shape[axis]
            span = Span(-margin, length + margin)
            indices = extended_indices(span, 0, length, reflected)
            values = values.index_select(axis, torch.tensor(indices, device=values.device))
        return values


def read_region(
    source: Plane, size: tuple[int, int], window: Window, mask: StoredPlane | None, minimum: int,
    wrap: bool,
) -> PaintedRegion:  # fmt: skip
    """Read what a stage needs.

    Args:
        source: (1, 3, H, W), R, G, B in 0..1.
        size: (h, w) of the whole picture in this stage.
        window: the part to paint, of the source.
        mask: (1, 1, rows, columns) of that window; None: everywhere.
        minimum: px; the region is at least so large in both directions.
        wrap: whether the picture is seamless; then there is no margin.
    """
    full = (source.shape[-2], source.shape[-1])
    inside = window.scale(full, size)
    margin = (0, 0)
    if not wrap:
        short = [max(0, minimum - length) for length in inside.size]
        margin = (max(MARGIN, -(-short[0] // 2)), max(MARGIN, -(-short[1] // 2)))
    border = opposite if wrap else reflected
    rows, columns = (
        extended_indices(span, by, length, border)
        for span, by, length in zip(inside, margin, size, strict=True)
    )
    base = gather(clip(resize.resize_plane(source, size, wrap)), rows, columns)
    weights = torch.ones(1, 1, *inside.size, device=base.device)
    if mask is not None:
        weights = (resize.resize_mask(mask, inside.size).storage > 0).to(weights)
    return PaintedRegion(
        inside, rows, columns, base, _shown(weights, inside, rows, columns), margin
    )


def _shown(weights: Tensor, window: Window, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """A window's weights (1, 1, h, w) at these rows and columns of the picture; 0 elsewhere."""
    for axis, numbers, span in zip((-2, -1), (rows, columns), window, strict=True):
        places = torch.tensor(numbers, device=weights.device) - span.start
        there = (places >= 0) & (places < span.length)
        weights = weights.index_select(axis, places.clamp(0, span.length - 1))
        weights = weights * (there[:, None] if axis == -2 else there)
    return weights
