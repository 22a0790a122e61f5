"""How much of some objectives is in each region of a dream map, summed exactly.

Cells are counted where they are computed anyway, block by block, in any order and in any thread.
So that no bit depends on that, each cell's value is rounded to a multiple of a small number, and
these multiples, integers, are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.regional import COUNTED_SHARE, additive_on
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.objectives.terms import MapLocation

FINENESS = 2.0**20  # steps in 1, of a cell's value
LARGEST = 2.0**15  # a cell's value, so that the sum over 2^27 cells is a 64-bit integer


@dataclass(frozen=True)
class CellSums:
    """Of some cells of one map: [region, objective] in steps, and the cells of each region."""

    number: int
    steps: Tensor
    counts: Tensor


@dataclass(frozen=True)
class RegionTally:
    """Sums of objectives over cells; threads may note at the same time.

    Attributes:
        objectives: what is summed; terms of a map as a whole add nothing.
        shares: where the regions lie. A cell counts for the region that has most of it.
    """

    objectives: Sequence[Objective]
    shares: ShareMap
    _noted: list[CellSums] = field(default_factory=list, init=False, repr=False)

    @torch.no_grad()
    def sums(
        self, number: int, cells: Tensor, location: MapLocation, counted: Tensor | None
    ) -> CellSums:
        """The sums over cells (1, C, h, w) of map `number`.

        `counted`: which of them count, (h, w); None: all.
        """
        if location.centres is None:
            raise ValueError("These cells have no place in a picture.")
        chosen = self.shares.at(location.centres(location.cells)).cpu() > COUNTED_SHARE
        if counted is not None:
            chosen &= counted
        steps = torch.zeros(len(chosen), len(self.objectives), dtype=torch.int64)
        for index, objective in enumerate(self.objectives):
            own, few = additive_on(objective, number), cells
            if own.sparse is not None:
                few, own = cells[:, own.sparse.channels].contiguous(), own.sparse.objective
            if own.terms:
                each = own.each(few)[0].to("cpu", torch.float64)
                each = each.nan_to_num(0.0, 0.0, 0.0).clamp(-LARGEST, LARGEST)
                steps[:, index] = ((each * FINENESS).round().long() * chosen).sum(dim=(1, 2))
        return CellSums(number, steps, chosen.sum(dim=(1, 2)))

    def note(self, sums: Sequence[CellSums]) -> None:
        """Add the sums over cells that have not been counted yet."""
        self._noted.extend(sums)

    def means(self) -> Tensor:
        """The values [region, objective] of a mean cell, in float64; 0 where there is none."""
        steps: dict[int, Tensor] = {}
        counts: dict[int, Tensor] = {}
        for some in self._noted:
            steps[some.number] = steps.get(some.number, 0) + some.steps
            counts[some.number] = counts.get(some.number, 0) + some.counts
        shape = (self.shares.planes.shape[1], len(self.objectives))
        means = torch.zeros(shape, dtype=torch.float64)
        for number in sorted(steps):
            means += steps[number].double() / FINENESS / counts[number].clamp_min(1)[:, None]
        return means
