"""The exact tiled gradient: the picture is computed in pieces, the result does not depend on them.

For an objective L = 1/N · Σ f(a_u) over the cells u of a map, the picture's pixels are divided into
blocks. The cells that see any pixel of a block are computed from all that they see (`tiles.py`);
their terms hold all that the block's pixels contribute to L, so the gradient is complete there, and
only there it is kept. Every pixel's gradient is thus one sum, over the same terms, in the same
order, as it is untiled: no blending windows, no seams, and with convolutions that add up in order
(`models/convolution.py`) no difference in a single bit.

Adding up partial gradients of blocks of cells costs smaller crops, but rounds differently; that
flips the choice of a max pool after a dozen steps, and the dream goes another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from dreamlayer.engine.canvas import Canvas
from dreamlayer.engine.objectives import Objective
from dreamlayer.engine.tiles import Tile, Window, divided, seeing, tile, whole

LEAST_CELLS = 32  # a crop's side; for smaller maps torch adds up a convolution in another order


class Cut(Protocol):
    """A network cut off behind its target layer (models.network.Network is one)."""

    stride: int
    reach: tuple[int, int]
    local: bool

    def __call__(self, x: Tensor) -> Tensor: ...

    def grid(self, height: int, width: int) -> tuple[int, int]: ...


@dataclass(frozen=True)
class TiledObjective:
    """An objective over the part of a picture that `window` touches, computed in tiles.

    Attributes:
        canvas: how the network sees the picture.
        window: pixels of the picture; the cells that see any of them are counted.
        side: the largest side of a block, in pixels.
    """

    network: Cut
    objective: Objective
    canvas: Canvas
    window: Window
    side: int

    @cached_property
    def counted(self) -> Window:
        """The cells of the objective; all of them if each sees the whole picture."""
        rows, columns = self.network.grid(*self.canvas.size)
        return self._seeing(self.window, (rows, columns))

    @cached_property
    def blocks(self) -> list[Window]:
        """The window's pixels in pieces; one if the network can't be tiled."""
        return list(divided(self.window, self.side)) if self.network.local else [self.window]

    def add_gradient(self, picture: Tensor, total: Tensor) -> Iterator[float]:
        """Add the gradient of the objective's mean over its cells to `total`.

        Args:
            picture: (1, 3, height, width), R, G, B in 0..1.
            total: (1, 3, rows, columns) of the window; changed in place.

        Yields:
            after each block its share of the window.
        """
        for block in self.blocks:
            piece = self._tile(self._seeing(block, self.network.grid(*self.canvas.size)))
            crop = self.canvas.take(picture, piece.crop).detach().clone().requires_grad_(True)
            with torch.enable_grad():
                value = self.objective.total(self._own(piece, self.network(crop)))
                # The sum is back-propagated, not the mean: 1/N would vanish in half precision.
                (slope,) = torch.autograd.grad(value, crop)
            rows = block.rows.slice(self.window.rows.start)
            columns = block.columns.slice(self.window.columns.start)
            part = slope / self.counted.area
            self.canvas.add(total[..., rows, columns], block, piece.crop, part)
            yield block.area / self.window.area

    def value(self, picture: Tensor) -> float:
        """The objective's mean over its cells, for a picture (1, 3, height, width)."""
        total = 0.0
        side = max(1, self.side // self.network.stride)
        parts = divided(self.counted, side) if self.network.local else [self.counted]
        with torch.inference_mode():
            for cells in parts:
                piece = self._tile(cells)
                found = self.network(self.canvas.take(picture, piece.crop))
                total += float(self.objective.total(self._own(piece, found)))
        return total / self.counted.area

    def _seeing(self, window: Window, grid: tuple[int, int]) -> Window:
        """The cells that see any pixel of a window of the picture."""
        if not self.network.local:
            return whole(*grid)
        place, stride, reach = self.canvas.place(window), self.network.stride, self.network.reach
        return Window(
            seeing(place.rows, stride, reach, grid[0]),
            seeing(place.columns, stride, reach, grid[1]),
        )

    def _tile(self, cells: Window) -> Tile:
        if not self.network.local:
            return Tile(cells, whole(*self.canvas.size))
        stride = self.network.stride
        return tile(cells, stride, self.network.reach, self.canvas.size, LEAST_CELLS * stride)

    def _own(self, piece: Tile, cells: Tensor) -> Tensor:
        """The tile's own cells, out of the map of its crop."""
        stride = self.network.stride
        rows = piece.cells.rows.slice(piece.crop.rows.start // stride)
        return cells[..., rows, piece.cells.columns.slice(piece.crop.columns.start // stride)]
