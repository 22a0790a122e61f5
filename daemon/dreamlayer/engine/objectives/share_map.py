"""How much of each place belongs to which region of a dream map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.engine.objectives.terms import CellCentres
from dreamlayer.geometry import Window

SOFT = 32  # px; a sudden change of a norm would show as an edge


@dataclass(frozen=True)
class ShareMap:
    """The shares of regions in a window of a picture, whatever the window's size is.

    Attributes:
        planes: (1, R, h, w), float32, 0..1, one a region, stretched over the window. They add up
            to 1 everywhere; beyond the window its edges count.
        numbers: the regions' numbers among the recipe's bindings.
        wrap: opposite edges of the window are neighbours.
    """

    planes: Tensor
    numbers: Sequence[int]
    wrap: bool = False
    _reduced: dict[tuple[int, int], Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _found: dict[object, Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _blocks: dict[tuple[tuple[int, int], Window, int], Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def at(self, centres: CellCentres) -> Tensor:
        """The shares (R, rows, columns) at some cells or pixels, averaged over about one of them.

        Bilinear, so that they change gradually over about two cells.
        """
        key = (tuple(centres.rows.tolist()), tuple(centres.columns.tolist()), centres.grid)
        found = self._found.get(key)
        if found is None:
            found = self._planes_for(centres.grid)[0]
            for axis, places in ((-2, centres.rows), (-1, centres.columns)):
                found = self._interpolated(found, axis, places)
            self._found.clear()  # another map of the network may have its cells there, too
            self._found[key] = found
        return found

    def at_blocks(self, size: tuple[int, int], strip: Window, side: int) -> Tensor:
        """The shares (R, rows, columns) at blocks of `side` px of a strip of the window.

        Args:
            size: (h, w) px of the window.
        """
        key = (size, strip, side)
        if key in self._blocks:
            return self._blocks[key]
        rows, columns = (
            (torch.arange(span.start, span.stop, side, dtype=torch.float64) + side / 2) / length
            for span, length in zip(strip, size, strict=True)
        )
        shares = self.at(CellCentres(rows, columns, _soft_grid(size)))
        self._blocks.clear()  # of a small picture the next step will ask for the same
        self._blocks[key] = shares
        return shares

    def weighted_at_pixels(
        self, size: tuple[int, int], strip: Window, weights: Sequence[float]
    ) -> Tensor:
        """The shares times a weight for each region, added up: (1, 1, rows, columns).

        They change gradually from one region to the next, over about 2 · `SOFT` pixels.
        """
        grid = _soft_grid(size)
        planes = self._planes_for(grid)
        weighted = torch.zeros_like(planes[:, :1])
        for number, weight in enumerate(weights):
            weighted += planes[:, number : number + 1] * weight
        if strip.size == size and not self.wrap:
            return F.interpolate(weighted, size, mode="bilinear")
        rows, columns = (
            (torch.arange(*span, dtype=torch.float64) + 0.5) / length
            for span, length in zip(strip, size, strict=True)
        )
        return self.with_planes(weighted, self.wrap).at(CellCentres(rows, columns, grid))[None]

    def with_planes(self, planes: Tensor, wrap: bool) -> ShareMap:
        """The same regions elsewhere, e.g. in a view of the window."""
        return ShareMap(planes, self.numbers, wrap)

    def alone(self, index: int) -> ShareMap:
        """One region's shares."""
        return ShareMap(self.planes[:, index : index + 1], (self.numbers[index],), self.wrap)

    def against_others(self, index: int) -> ShareMap:
        """One region's shares, and those of all others together."""
        own = self.planes[:, index : index + 1]
        return ShareMap(torch.cat([own, 1 - own], dim=1), (self.numbers[index], -1), self.wrap)

    def to(self, device: torch.device) -> ShareMap:
        return replace(self, planes=self.planes.to(device))

    def _planes_for(self, grid: tuple[int, int]) -> Tensor:
        """The planes, averaged if they are finer than `grid` (rows, columns)."""
        height, width = self.planes.shape[-2:]
        size = (min(height, max(1, grid[0])), min(width, max(1, grid[1])))
        if size == (height, width):
            return self.planes
        if size not in self._reduced:
            self._reduced[size] = F.adaptive_avg_pool2d(self.planes, size)
        return self._reduced[size]

    def _interpolated(self, planes: Tensor, axis: int, places: Tensor) -> Tensor:
        length = planes.shape[axis]
        exact = places * length - 0.5
        first = exact.floor()
        above = (exact - first).to(planes)
        indices = [first.long().to(planes.device) + after for after in (0, 1)]
        if self.wrap:
            indices = [index % length for index in indices]
        else:
            indices = [index.clamp(0, length - 1) for index in indices]
        low, high = (planes.index_select(axis, index) for index in indices)
        return low + (high - low) * (above[:, None] if axis == -2 else above)


def _soft_grid(size: tuple[int, int]) -> tuple[int, int]:
    """The (rows, columns) of cells of `SOFT` pixels on a window of `size` (h, w) px."""
    return max(1, round(size[0] / SOFT)), max(1, round(size[1] / SOFT))
