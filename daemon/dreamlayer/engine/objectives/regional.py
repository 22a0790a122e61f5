"""An objective for each region of a dream map, climbed together with one gradient.

    gradient at a cell u = Σ_r scale_r · share_r(u) · g_r(u) − opposition(u)

g_r is the gradient of objective r. All regions are computed from the same maps in one pass forward
and one back. Additive terms are sums over cells, so a share weighs a cell's own term, and the
gradient is exact. A term of a map as a whole (a class, a cosine) sees the whole picture and changes
its own region.

Opposition: what one asks for here shall not become what was asked for beside it. The same few edges
are something of a dog and of a tower, and a cell sees far beyond its region.

    opposition(u) = Σ_r share_r(u) · Σ_(s ≠ r) opposed_s · g_s(u) · (trace_s(u) + risen_rs)
    trace_s       = CONTRAST / (R − 1) · (1 + a / 2), the bracket from 0 to 4

where a is the activation in the direction of g_s, in units of its layer. So a clear thing is pulled
down harder than a trace, and what is far from there is left alone. risen_rs is how far objective s
has risen in region r so far, as a share of r's own rise (`ascent/rises.py`): which of the others
rises depends on the network and on what grows there, and to pull at all of them as hard would take
more than it gives. What the region's own objective raises is never pulled down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

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
RISEN = (
    0.8  # how strongly what has risen as far as a region's own is opposed, times its own (maps.md)
)
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
        contrast: how strongly others are opposed from the start, ≥ 0.
        risen: how far each objective has risen [region][objective], 0..1; (): not at all.
    """

    parts: tuple[Objective, ...]
    shares: ShareMap
    scales: tuple[float, ...]
    opposed: tuple[float, ...]
    layer_scales: Sequence[float]
    contrast: float
    risen: tuple[tuple[float, ...], ...] = ()

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
        shares = self._shares(location).to(cells)
        parts = zip(self.parts, self.scales, shares, self.opposed, strict=True)
        for index, (part, scale, share, opposed) in enumerate(parts):
            box = Window(_span_of(share.amax(dim=1)), _span_of(share.amax(dim=0)))
            if opposed:
                box = Window.whole(*share.shape)
            here = part.for_map(number)
            if not box.area or not here.terms:
                continue
            there = replace(location, cells=box.shift(*location.cells.origin))
            used, own = _sparse_grad(here, cells[box.slices()], number, there, factor)
            # A gradient that is not finite shall not reach cells of other regions.
            weights = share[box.slices()] * scale
            total[box.slices()][:, used] += torch.where(weights > 0, own * weights, 0.0)
            if opposed:
                pulled[used] = True
                had = own.sign() * cells[:, used] / self.layer_scales[number]
                strength = self._strength(index, had, shares) * opposed
                pulls[:, used] += torch.nan_to_num(own * strength, 0.0, 0.0, 0.0)
        if any(self.opposed):
            used = pulled.nonzero()[:, 0]
            agreed = pulls[:, used].sign() == total[:, used].sign()
            total[:, used] -= torch.where(agreed, 0.0, pulls[:, used])
        return total

    def _strength(self, index: int, had: Tensor, shares: Tensor) -> Tensor:
        """How strongly the others oppose a part, relative to its gradient.

        Args:
            had: (1, C, h, w), the activations in its direction, in units of their layer.
            shares: (R, h, w) of all regions.
        """
        trace = (1 + had / 2).clamp(0, LARGEST_PULL) * (1 - shares[index])
        strength = trace * (self.contrast / max(1, len(self.parts) - 1))
        for share, risen in zip(shares, self.risen, strict=False):
            if risen[index]:
                strength += share * risen[index]
        return strength

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
            additive = replace(self, parts=tuple(_additive_on(p, number) for p in self.parts))
            values.append(additive.total({number: maps[number]}, {number: locations[number]}, 1))
        return torch.stack(values).sum()

    def values_in(
        self,
        cells: Mapping[int, Tensor],
        locations: Mapping[int, MapLocation],
        wanted: Sequence[Objective],
    ) -> Tensor:
        """The values [region, objective] of some objectives in every region, in float64.

        Cells count as in `total`; terms of a map as a whole are left out.

        Args:
            cells: complete maps.
        """
        values = torch.zeros(len(self.parts), len(wanted), dtype=torch.float64)
        for number, (index, objective) in product(cells, enumerate(wanted)):
            additive, location = _additive_on(objective, number), locations[number]
            if not additive.terms:
                continue
            used, few = additive.used_channels(), cells[number]
            if used is not None:
                additive, few = additive.among(used), few[:, used]
            chosen = self._shares(location) > COUNTED_SHARE
            for region, where in enumerate(chosen.to(few.device)):
                own = few[..., where][:, :, None].to("cpu", torch.float64)
                there = replace(location, cells=Window(NO_ROWS, Span(0, own.shape[-1])))
                if own.numel():
                    values[region, index] += additive.total({number: own}, {number: there}, 1)
        return values

    def linearise(self, maps: Mapping[int, Tensor], locations: MapLocations) -> RegionalObjective:
        """This objective with each term of a whole map replaced by its gradient at these maps."""
        return replace(self, parts=tuple(part.linearise(maps, locations) for part in self.parts))

    def _shares(self, location: MapLocation) -> Tensor:
        """The regions' shares (R, rows, columns) in the cells of a location."""
        if location.centres is None:
            raise ValueError("These cells have no place in a picture.")
        return self.shares.at(location.centres(location.cells))


AnyObjective = Objective | RegionalObjective


def _additive_on(objective: Objective, number: int) -> Objective:
    """The summands on one map that are sums over its cells."""
    return Objective(tuple(s for s in objective.for_map(number).terms if s.term.additive))


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
