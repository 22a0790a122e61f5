"""How much of some objectives is in each region of a dream map, measured in a small copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane, read_all
from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.regional import (
    COUNTED_SHARE,
    NO_ROWS,
    RegionalObjective,
    additive_on,
)
from dreamlayer.engine.objectives.terms import MapLocation
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Span, Window

MEASURED_SIDE = 192  # px, of the longer side of the copy


class RegionLevels:
    """Measures copies of one size; all that depends on the size only is found out once.

    Args:
        size: (h, w) px of the dreamed window, at any size.
    """

    def __init__(
        self, objective: RegionalObjective, network: TileableNetwork, size: tuple[int, int]
    ) -> None:
        # Without an apron: it would take half as long again, and levels are compared only.
        factor = min(1.0, MEASURED_SIDE / max(size))
        rows, columns = (max(network.minimum, round(length * factor)) for length in size)
        canvas = PictureCanvas(rows, columns, wrap=objective.shares.wrap)
        self._size, self._shares = (rows, columns), objective.shares
        self._tiled = TiledObjective(network, objective, canvas, Window.whole(rows, columns), 0)
        self._counted = dict(enumerate(self._tiled.layout.counted))
        self._cells = {k: self._regions_of(k, cells) for k, cells in self._counted.items()}

    def copy(self, picture: Plane) -> Tensor:
        """The copy of a picture (1, 3, H, W) of the window."""
        wrap = self._tiled.canvas.wrap
        return read_all(resize.resize_plane(picture, self._size, wrap)).clamp(0, 1)

    @torch.no_grad()
    def values(self, copy: Tensor, wanted: Sequence[Objective]) -> Tensor:
        """The values [region, objective] in a copy, in float64.

        A cell counts for the region that has most of it. Terms of a map as a whole are left out.
        """
        values = torch.zeros(len(self._shares.numbers), len(wanted), dtype=torch.float64)
        for number, cells in self._tiled.infer_cells(copy, self._counted).items():
            there = self._cells[number]
            for index, objective in enumerate(wanted):
                some = additive_on(objective, number)
                if some.sparse is not None:
                    values[:, index] += there.sums(some.sparse.each(cells[:, some.sparse.channels]))
                elif some.terms:
                    values[:, index] += there.totals(some, number, cells)
        return values

    def _regions_of(self, number: int, counted: Window) -> _CellsByRegion:
        location = self._tiled.layout.location(number, counted)
        shares = self._shares.at(self._tiled.layout.centres(number, counted))
        chosen = [one.nonzero()[:, 0] for one in shares.flatten(1).cpu() > COUNTED_SHARE]
        return _CellsByRegion(torch.cat(chosen), [len(some) for some in chosen], location)


@dataclass(frozen=True)
class _CellsByRegion:
    """The numbers of a map's cells, region by region, and how many each region has."""

    order: Tensor
    counts: list[int]
    location: MapLocation

    def sums(self, each: Tensor) -> Tensor:
        """The sum in each region of a value (1, h, w) of each cell, over the number of cells."""
        own = each.flatten().to("cpu", torch.float64)[self.order]
        sums = [some.sum() for some in own.split(self.counts)]
        return torch.stack(sums) / self.location.counted.area

    def totals(self, objective: Objective, number: int, cells: Tensor) -> Tensor:
        """The same of an objective on a map (1, C, h, w)."""
        own = cells.flatten(2).to("cpu", torch.float64)[..., self.order]
        totals = []
        for some in own.split(self.counts, dim=2):
            there = replace(self.location, cells=Window(NO_ROWS, Span(0, some.shape[-1])))
            totals.append(objective.total({number: some[:, :, None]}, {number: there}, 1))
        return torch.stack(totals)
