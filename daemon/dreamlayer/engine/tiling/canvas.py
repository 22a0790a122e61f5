"""The picture as the network sees it: shifted by the roll, continued beyond its edges, noisy.

A shift is an offset, not a copy: crops are taken from the picture through it, and gradients of
crops are added back through it. The canvas has one size for all shifts: the picture's plus
`margin`. Beyond the edges the picture goes on by its reflection, or, for a seamless texture, by
its opposite edge:

        margin = 4, shift = 2        c i | p i c t u r e | r u
                          wrap       r e | p i c t u r e | p i

That continuation is only seen: its gradient is not added to the pixels that it shows, or the edges
would dream twice as much as the middle. A seamless texture needs no such gradient if the margin
holds all the cells that see the picture: what a cell beyond the edge does to a pixel at the other
edge, its double on this side does as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.image.noise import Noise
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
    """A picture of `height` × `width` pixels, laid `shift` (rows, columns) into its canvas.

    `wrap` continues it by its opposite edges instead of its reflection. Such a picture has no
    beginning: the canvas and all windows can begin at any pixel `origin` (row, column) of it.
    `noise` is added to what is taken, the same in a pixel and in all its doubles.
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
        """Where a window of the picture lies in the canvas."""
        return window.shift(*self.shift)

    def take(self, picture: TensorOrPlane, crop: Window) -> Tensor:
        """The canvas's pixels in `crop`, from a picture (1, C, height, width); not to be changed.

        Several threads may take at once.
        """
        rows, columns = self._sources(crop)
        found = gather(as_plane(picture), rows, columns)
        if self.noise is None:
            return found
        down, right = (torch.tensor(places, device=found.device) for places in (rows, columns))
        return self.noise.sample(down, right, found).add_(found)

    def add(self, total: Tensor | StoredPlane, window: Window, crop: Window, part: Tensor) -> None:
        """Add `part`, the gradient of the pixels `take(crop)`, to `total`, that of `window`.

        What falls outside the window, or beyond the picture's edges, is dropped. Several threads
        may add at once, to windows that have no pixel in common.
        """
        own = crop.shift(-self.shift[0], -self.shift[1])
        common = window.intersect(own)
        if common.area:
            into = common.relative_to(window)
            as_stored_plane(total).add(into, part[common.slices(own.origin)])

    def _sources(self, crop: Window) -> tuple[list[int], list[int]]:
        source = _repeat if self.wrap else _reflect
        down, right = (o - s for o, s in zip(self.origin, self.shift, strict=True))
        return (
            extended_indices(crop.rows.shift(down), 0, self.height, source),
            extended_indices(crop.columns.shift(right), 0, self.width, source),
        )


def _repeat(index: int, length: int) -> int:
    return index % length


def _reflect(index: int, length: int) -> int:
    """Mirror an index into 0 … length − 1; the edge pixels are not repeated."""
    if length == 1:
        return 0
    index %= 2 * (length - 1)
    return min(index, 2 * (length - 1) - index)
