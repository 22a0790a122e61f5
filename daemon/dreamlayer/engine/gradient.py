"""The exact tiled gradient: the picture is computed in pieces, the result does not depend on them.

For an objective L = 1/N · Σ f(a_u) over the cells u of a map, the cells are divided into blocks
(`tiles.py`), and each block's gradient is that of its own terms alone, back-propagated to all the
pixels which they see and added up. Each term is counted once and sees the very pixels it would
see untiled, so the sum is the untiled gradient, up to rounding. No blending windows, no seams.
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
from dreamlayer.engine.tiles import Tile, Window, seeing, tiles, whole


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
        side: the side of a block of cells, in pixels.
    """

    network: Cut
    objective: Objective
    canvas: Canvas
    window: Window
    side: int

    @cached_property
    def tiles(self) -> list[Tile]:
        """The work; one tile if the network's cells see the whole picture and can't be tiled."""
        height, width = self.canvas.size
        rows, columns = self.network.grid(height, width)
        if not self.network.local:
            return [Tile(whole(rows, columns), whole(height, width))]
        place = self.canvas.place(self.window)
        stride, reach = self.network.stride, self.network.reach
        cells = Window(
            seeing(place.rows, stride, reach, rows), seeing(place.columns, stride, reach, columns)
        )
        return list(tiles(cells, stride, reach, self.canvas.size, self.side))

    @cached_property
    def cells(self) -> int:
        """How many cells are counted."""
        return sum(tile.cells.area for tile in self.tiles)

    def add_gradient(self, picture: Tensor, total: Tensor) -> Iterator[float]:
        """Add the gradient of the objective's mean over its cells to `total`.

        Args:
            picture: (1, 3, height, width), R, G, B in 0..1.
            total: (1, 3, rows, columns) of the window; changed in place.

        Yields:
            after each tile its part of the objective; they add up to `value(picture)`.
        """
        for tile in self.tiles:
            crop = self.canvas.take(picture, tile.crop).detach().clone().requires_grad_(True)
            with torch.enable_grad():
                value = self.objective.total(self._own(tile, self.network(crop)))
                # The sum is back-propagated, not the mean: 1/N would vanish in half precision.
                (slope,) = torch.autograd.grad(value, crop)
            self.canvas.add(total, self.window, tile.crop, slope / self.cells)
            yield float(value.detach()) / self.cells

    def value(self, picture: Tensor) -> float:
        """The objective's mean over its cells, for a picture (1, 3, height, width)."""
        total = 0.0
        with torch.inference_mode():
            for tile in self.tiles:
                cells = self.network(self.canvas.take(picture, tile.crop))
                total += float(self.objective.total(self._own(tile, cells)))
        return total / self.cells

    def _own(self, tile: Tile, cells: Tensor) -> Tensor:
        """The tile's own cells, out of the map of its crop."""
        stride = self.network.stride
        rows = tile.cells.rows.slice(tile.crop.rows.start // stride)
        return cells[..., rows, tile.cells.columns.slice(tile.crop.columns.start // stride)]
