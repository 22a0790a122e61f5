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
from functools import cached_property

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
        some = _Cells(cells, number, location, factor, self._shares(location).to(cells))
        total, is_zero = torch.zeros_like(cells), True
        together: dict[int, Objective] = {}
        for index, part in enumerate(self.parts):
            here = part.for_map(number)
            if here.sparse is not None or (here.terms and self.opposed[index]):
                together[index] = here
            elif here.terms:
                self._add_apart(total, some, index, here)
                is_zero = False
        if together:
            self._add_together(total, is_zero, some, _Rows.of(some, together))
        return total

    def _add_apart(self, total: Tensor, some: _Cells, index: int, part: Objective) -> None:
        """Add the gradient of a part that nothing opposes, of those cells that its region has."""
        share = some.shares[index]
        box = Window(_span_of(share.amax(dim=1)), _span_of(share.amax(dim=0)))
        if box.area:
            weights = share[box.slices()] * self.scales[index]
            own = some.within(box).grad(part)
            total[box.slices()] += _weighted(own, weights)

    def _add_together(self, total: Tensor, is_zero: bool, some: _Cells, rows: _Rows) -> None:
        """Add the gradients of parts that use few channels, and take away what opposes them.

        Channel by channel of all parts at once: each operation takes its time, however few cells.
        """
        shares, used = some.shares[rows.owners], list(rows.slots)
        scales, opposed = rows.columns([self.scales, self.opposed])
        weighted = _weighted(rows.grads, shares * scales)
        own = rows.by_channel(weighted)
        if not is_zero:
            own += total[:, used]
        if any(self.opposed):
            strength = self._strength(some, rows, shares).mul_(opposed)
            taken = rows.by_channel(torch.nan_to_num_(strength.mul_(rows.grads), 0.0, 0.0, 0.0))
            own -= torch.where(taken.sign() == own.sign(), 0.0, taken)
        total[:, used] = own

    def _strength(self, some: _Cells, rows: _Rows, shares: Tensor) -> Tensor:
        """How strongly the others oppose each row, relative to its gradient.

        Args:
            shares: (N, h, w), of the rows' own regions.
        """
        had = rows.grads.sign().mul_(rows.cells).div_(self.layer_scales[some.number])
        trace = had.div_(2).add_(1).clamp_(0, LARGEST_PULL).mul_(1 - shares)
        strength = trace.mul_(self.contrast / max(1, len(self.parts) - 1))
        if self.risen:
            for share, risen in zip(some.shares, rows.columns(self.risen), strict=True):
                strength += risen * share
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
            additive = replace(self, parts=tuple(additive_on(p, number) for p in self.parts))
            values.append(additive.total({number: maps[number]}, {number: locations[number]}, 1))
        return torch.stack(values).sum()

    def linearise(self, maps: Mapping[int, Tensor], locations: MapLocations) -> RegionalObjective:
        """This objective with each term of a whole map replaced by its gradient at these maps."""
        return replace(self, parts=tuple(part.linearise(maps, locations) for part in self.parts))

    def _shares(self, location: MapLocation) -> Tensor:
        """The regions' shares (R, rows, columns) in the cells of a location."""
        if location.centres is None:
            raise ValueError("These cells have no place in a picture.")
        return self.shares.at(location.centres(location.cells))


AnyObjective = Objective | RegionalObjective


@dataclass(frozen=True)
class _Cells:
    """Some cells (1, C, h, w) of a map, and the regions' shares (R, h, w) in them."""

    cells: Tensor
    number: int
    location: MapLocation
    factor: int
    shares: Tensor

    def within(self, box: Window) -> _Cells:
        there = replace(self.location, cells=box.shift(*self.location.cells.origin))
        return replace(
            self, cells=self.cells[box.slices()], location=there, shares=self.shares[box.slices()]
        )

    def grad(self, part: Objective) -> Tensor:
        return part.grad(self.cells, self.number, self.location, self.factor)


@dataclass(frozen=True)
class _Rows:
    """The gradients of several parts, each at the channels that it uses, one below the other.

    Attributes:
        channels: of each part, by its index; several may use the same.
        cells, grads: (1, N, h, w), the activations and the gradient of the part.
    """

    channels: Mapping[int, Sequence[int]]
    cells: Tensor
    grads: Tensor

    @classmethod
    def of(cls, some: _Cells, parts: Mapping[int, Objective]) -> _Rows:
        every = range(some.cells.shape[1])
        used = {n: part.sparse.channels if part.sparse else every for n, part in parts.items()}
        # Contiguous, as most operations take twice as long else.
        cells = some.cells[:, [n for one in used.values() for n in one]].contiguous()
        counts = [len(one) for one in used.values()]
        grads = [
            replace(some, cells=few).grad(part.sparse.objective if part.sparse else part)
            for few, part in zip(torch.split(cells, counts, dim=1), parts.values(), strict=True)
        ]
        return cls(used, cells, torch.cat(grads, dim=1))

    @cached_property
    def owners(self) -> list[int]:
        """The part of each row."""
        return [part for part, channels in self.channels.items() for _ in channels]

    @cached_property
    def slots(self) -> dict[int, int]:
        """The channels that are used, each once, and their places among these."""
        used = dict.fromkeys(n for channels in self.channels.values() for n in channels)
        return {channel: slot for slot, channel in enumerate(used)}

    def by_channel(self, rows: Tensor) -> Tensor:
        """Rows (1, N, h, w) added up for each of the channels that are used."""
        if len(self.slots) == rows.shape[1]:
            return rows
        total, first = torch.zeros_like(rows[:, : len(self.slots)]), 0
        for channels in self.channels.values():
            slots = torch.tensor([self.slots[n] for n in channels], device=rows.device)
            total.index_add_(1, slots, rows[:, first : first + len(channels)])
            first += len(channels)
        return total

    def columns(self, values: Sequence[Sequence[float]]) -> Tensor:
        """Values of the parts as such of their rows: (…, N, 1, 1)."""
        columns = self.cells.new_tensor([[some[owner] for owner in self.owners] for some in values])
        return columns[..., None, None]


def additive_on(objective: Objective, number: int) -> Objective:
    """The summands on one map that are sums over its cells."""
    own = objective.for_map(number)
    if own.additive:
        return own
    return Objective(tuple(summand for summand in own.terms if summand.term.additive))


def _weighted(grad: Tensor, weights: Tensor) -> Tensor:
    """A gradient times weights; 0 where they are, though it may not be finite there."""
    return torch.where(weights > 0, grad * weights, 0.0)


def _span_of(values: Tensor) -> Span:
    """The span from the first to the last value (n) that is not 0."""
    places = values.nonzero()
    if not len(places):
        return Span(0, 0)
    return Span(int(places[0]), int(places[-1]) + 1)
