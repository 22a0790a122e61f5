"""The picture as presented to the network: shifted by the roll, padded, and with noise.

A shift is an offset, not a copy: crops are read from the picture through it, and gradients of
crops are added back through it. The canvas has one size for all shifts: the picture's plus
`margin`. Beyond its edges the picture is continued by its reflection or, for a seamless texture,
by its opposite edge:

        margin = 4, shift = 2        c i | p i c t u r e | r u
                          wrap       r e | p i c t u r e | p i

Gradients of the continuation are dropped, not added to the pixels that it repeats: otherwise the
edges would dream twice as much as the middle. A seamless texture loses nothing by that if the
margin holds all the cells that see the picture: whatever a cell beyond the edge contributes to a
pixel at the opposite edge is also contributed by that cell's copy on this side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.image.noise import Noise
from dreamlayer.engine.image.padding import opposite, reflected
from dreamlayer.engine.image.planes import (
    StoredPlane,
    TensorOrPlane,
    as_plane,
    as_stored_plane,
    extended_indices,
    gather,
)
from dreamlayer.geometry import Window


@dataclass(frozen=True)
class PictureCanvas:
    """A picture of `height` × `width` pixels, placed in its canvas at `shift` (rows, columns).

    `wrap` continues it by its opposite edges instead of its reflection. Such a picture has no
    fixed beginning: the canvas and all windows may start at any of its pixels, `origin` (row,
    column). `noise` is added to pixels on reading, the same to a pixel and all its repetitions.
    """

    height: int
    width: int
    margin: int = 0
    shift: tuple[int, int] = (0, 0)
    wrap: bool = False
    origin: tuple[int, int] = (0, 0)
    noise: Noise | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.height + self.margin, self.width + self.margin

    def to_canvas(self, window: Window) -> Window:
        """The position of a window of the picture in the canvas."""
        return window.shift(*self.shift)

    def take(self, picture: TensorOrPlane, crop: Window) -> Tensor:
        """The canvas's pixels in `crop`, from a picture (1, C, height, width). Read-only.

        Thread-safe.
        """
        rows, columns = self.source_indices(crop)
        pixels = gather(as_plane(picture), rows, columns)
        if self.noise is None:
            return pixels
        down, right = (torch.tensor(indices, device=pixels.device) for indices in (rows, columns))
        return self.noise.sample(down, right, pixels).add_(pixels)

    def add(self, total: Tensor | StoredPlane, window: Window, crop: Window, part: Tensor) -> None:
        """Add `part`, the gradient of the pixels in `crop`, to `total`, the gradient of `window`.

        Values outside the window or beyond the picture's edges are dropped. Threads may add at
        the same time to windows that do not overlap.
        """
        own = crop.shift(-self.shift[0], -self.shift[1])
        common = window.intersect(own)
        if common.area:
            into = common.relative_to(window)
            as_stored_plane(total).add(into, part[common.slices(own.origin)])

    def source_indices(self, crop: Window) -> tuple[list[int], list[int]]:
        """The picture's rows and columns that lie in a crop of the canvas."""
        source = opposite if self.wrap else reflected
        down, right = (o - s for o, s in zip(self.origin, self.shift, strict=True))
        return (
            extended_indices(crop.rows.shift(down), 0, self.height, source),
            extended_indices(crop.columns.shift(right), 0, self.width, source),
        )
