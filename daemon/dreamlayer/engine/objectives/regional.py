"""An objective for each region of a dream map, climbed together with one gradient.

    gradient at a cell u = Σ_r scale_r · share_r(u) · g_r(u) − opposition(u)

g_r is the gradient of objective r. All regions are computed from the same maps in one pass forward
and one back. Additive terms are sums over cells, so a share weighs a cell's own term, and the
gradient is exact. A term of a map as a whole (a class, a cosine) sees the whole picture and changes
its own region.

Opposition: what one asks for here shall not become what was asked for beside it. The same few edges
are something of a dog and of a tower, and a cell sees far beyond its region.

    opposition(u) = CONTRAST · mean over the others s of pull_s(u) · (1 − share_s(u))
    pull_s        = opposed_s · g_s · (1 + a / 2), from 0 to 4 times g_s

where a is the activation in the direction of g_s, in units of its layer. So a clear thing is pulled
down harder than a trace, and what is far from there is left alone. What the region's own objective
raises is never pulled down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine.objectives.kind_terms import KindTerm
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.objectives.terms import (
    ChannelsTerm,
    DirectionTerm,
    LogitTerm,
    MapLocation,
    MapLocations,
)
from dreamlayer.geometry import Span, Window

CONTRAST = 0.5  # more costs strength; less leaves neighbours' things in even areas (maps.md)
# What can be opposed: things. Less of a whole layer would flatten the photo.
THINGS = (ChannelsTerm, DirectionTerm, KindTerm, LogitTerm)
LARGEST_PULL = 4.0  # of a clear thing, times that of a trace: else it would take all of a step
COUNTED_SHARE = 0.5  # cells with a larger share count for the value of a region
NO_ROWS = Span(-2, -1)  # where no cell lies


@dataclass(frozen=True)
class RegionalObjective:
    """Objectives with the regions in which they count.

    Attributes:
        parts: one a region, on the maps of one network.
        shares: where the regions lie, in the same order.
        scales: factors of the parts' gradients; see `balance.py`.
        opposed: factors of the parts' gradients where others are opposed to them; 0: never.
        layer_scales: of the network's maps, the unit of their activations.
        contrast: how strongly others are opposed, ≥ 0.
    """

    parts: tuple[Objective, ...]
    shares: ShareMap
    scales: tuple[float, ...]
    opposed: tuple[float, ...]
    layer_scales: Sequence[float]
    contrast: float

    @classmethod
    def of(
        cls, parts: Sequence[Objective], shares: ShareMap, layer_scales: Sequence[float]
    ) -> RegionalObjective:
        things = [all(isinstance(s.term, THINGS) for s in part.terms) for part in parts]
        opposed = tuple(float(only and len(parts) > 1) for only in things)
        return cls(tuple(parts), shares, (1.0,) * len(parts), opposed, layer_scales, CONTRAST)

    @property
    def terms(self) -> tuple[WeightedTerm, ...]:
        return tuple(term for part in self.parts for term in part.terms)

    @property
    def additive(self) -> bool:
        return not self.whole_maps

    @property
    def whole_maps(self) -> set[int]:
        """The indices of the maps that are needed as a whole."""
        return {number for part in self.parts for number in part.whole_maps}

    def for_map(self, number: int) -> RegionalObjective:
        """The summands on one map."""
        return replace(self, parts=tuple(part.for_map(number) for part in self.parts))

    def grad(self, cells: Tensor, number: int, location: MapLocation, factor: int) -> Tensor:
        """`factor` times the objective's gradient at some cells (1, C, h, w) of map `number`."""
        total, pulls = torch.zeros_like(cells), torch.zeros_like(cells)
        pulled = torch.zeros(cells.shape[1], dtype=torch.bool, device=cells.device)
        parts = zip(self.parts, self.scales, self._shares(location), self.opposed, strict=True)
        for part, scale, share, opposed in parts:
            box = Window(_span_of(share.amax(dim=1)), _span_of(share.amax(dim=0)))
            if opposed:
                box = Window.whole(*share.shape)
            here = part.for_map(number)
            if not box.area or not here.terms:
                continue
            there = replace(location, cells=box.shift(*location.cells.origin))
            used, own = _sparse_grad(here, cells[box.slices()], number, there, factor)
            # A gradient that is not finite shall not reach cells of other regions.
            weights = share[box.slices()].to(cells) * scale
            total[box.slices()][:, used] += torch.where(weights > 0, own * weights, 0.0)
            if opposed:
                pulled[used] = True
                others = (1 - share.to(cells)) * opposed
                pulls[:, used] += self._pull(own, cells[:, used], number) * others
        if any(self.opposed):
            used = pulled.nonzero()[:, 0]
            total[:, used] -= self._opposition(pulls[:, used], total[:, used])
        return total

    def _pull(self, grad: Tensor, cells: Tensor, number: int) -> Tensor:
        """A gradient, the larger where the cells already have what it asks for."""
        had = grad.sign() * cells / self.layer_scales[number]
        return torch.nan_to_num(grad * (1 + had / 2).clamp(0, LARGEST_PULL), 0.0, 0.0, 0.0)

    def _opposition(self, pulls: Tensor, total: Tensor) -> Tensor:
        """What to take away from a gradient: nothing that it asks for itself."""
        factor = self.contrast / max(1, len(self.parts) - 1)
        return torch.where(pulls.sign() == total.sign(), 0.0, pulls * factor)

    def total(
        self, cells: Mapping[int, Tensor], locations: Mapping[int, MapLocation], factor: int
    ) -> Tensor:
        """`factor` times the share of some cells of one map in the objectives' sum.

        A cell counts for the region that has most of it; a unit (`10:30@0.5,0.5`) for none.
        """
        ((number, some),) = cells.items()
        location = locations[number]
        values = [some.new_zeros(())]
        for part, share in zip(self.parts, self._shares(location), strict=True):
            chosen = some[..., share.to(some.device) > COUNTED_SHARE][:, :, None]
            there = Window(NO_ROWS, Span(0, chosen.shape[-1]))
            if chosen.numel() and part.for_map(number).terms:
                own = {number: replace(location, cells=there)}
                values.append(part.for_map(number).total({number: chosen}, own, factor))
        return torch.stack(values).sum()

    def value(self, maps: Mapping[int, Tensor], locations: Mapping[int, MapLocation]) -> Tensor:
        """The objectives' sum, of complete maps; terms of a whole map see all of it."""
        values = []
        for part in self.parts:
            whole = tuple(summand for summand in part.terms if not summand.term.additive)
            values += [s.value(maps[s.map_index], locations[s.map_index]) for s in whole]
        for number in maps:
            additive = self._additive_on(number)
            values.append(additive.total({number: maps[number]}, {number: locations[number]}, 1))
        return torch.stack(values).sum()

    def linearise(self, maps: Mapping[int, Tensor], locations: MapLocations) -> RegionalObjective:
        """This objective with each term of a whole map replaced by its gradient at these maps."""
        return replace(self, parts=tuple(part.linearise(maps, locations) for part in self.parts))

    def _additive_on(self, number: int) -> RegionalObjective:
        def additive(part: Objective) -> Objective:
            return Objective(tuple(s for s in part.for_map(number).terms if s.term.additive))

        return replace(self, parts=tuple(additive(part) for part in self.parts))

    def _shares(self, location: MapLocation) -> Tensor:
        """The regions' shares (R, rows, columns) in the cells of a location."""
        if location.centres is None:
            raise ValueError("These cells have no place in a picture.")
        return self.shares.at(location.centres(location.cells))


AnyObjective = Objective | RegionalObjective


def _sparse_grad(
    part: Objective, cells: Tensor, number: int, location: MapLocation, factor: int
) -> tuple[Tensor, Tensor]:
    """The channels whose gradient may be other than 0, and that; mostly few, which saves time."""
    used = part.used_channels()
    if used is not None:
        channels = torch.tensor(used, device=cells.device)
        return channels, part.among(used).grad(cells[:, channels], number, location, factor)
    grad = part.grad(cells, number, location, factor)
    largest = torch.linalg.vector_norm(grad[0], torch.inf, dim=(1, 2))  # NaN counts as well
    channels = largest.nonzero()[:, 0]
    return channels, grad[:, channels]


def _span_of(values: Tensor) -> Span:
    """The span from the first to the last value (n) that is not 0."""
    places = values.nonzero()
    if not len(places):
        return Span(0, 0)
    return Span(int(places[0]), int(places[-1]) + 1)
