"""Objectives: a number per picture, a weighted sum of terms over the maps of a network's layers.

Activations are divided by their layer's own scale (`Network.scales`), so that a weight means the
same in every layer. `binding.py` makes objectives from the expressions that users write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from dreamlayer.engine.objectives.terms import (
    CellTerm,
    DifferentiatedTerm,
    LinearTerm,
    MapLocation,
    MapLocations,
    SparseTerm,
    Term,
)
from dreamlayer.geometry import Window


@dataclass(frozen=True)
class WeightedTerm:
    """One summand: `weight` × a term of map `map_index`, whose activations have this `scale`."""

    weight: float
    map_index: int
    scale: float
    term: Term

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.weight * self.term.value(cells / self.scale, location)


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms. An additive term counts as the mean over its map's cells."""

    terms: tuple[WeightedTerm, ...]

    @property
    def additive(self) -> bool:
        return not self.whole_maps

    @property
    def whole_maps(self) -> set[int]:
        """The indices of the maps that are needed as a whole."""
        return {summand.map_index for summand in self.terms if not summand.term.additive}

    def for_map(self, number: int) -> Objective:
        """The summands on one map."""
        if number not in self._on_maps:
            own = tuple(summand for summand in self.terms if summand.map_index == number)
            if len(own) == len(self.terms):
                return self
            self._on_maps[number] = Objective(own)
        return self._on_maps[number]

    @cached_property
    def sparse(self) -> SparseObjective | None:
        """The same of the channels that terms on one map use; None: any may be used."""
        sparse = [s.term for s in self.terms if isinstance(s.term, SparseTerm)]
        if not sparse or len(sparse) < len(self.terms):
            return None
        channels = sorted(set().union(*(term.used() for term in sparse)))
        pairs = zip(self.terms, sparse, strict=True)
        few = tuple(replace(summand, term=term.among(channels)) for summand, term in pairs)
        return SparseObjective(channels, Objective(few))

    def each(self, cells: Tensor) -> Tensor:
        """What each cell (1, C, h, w) adds to the terms on one map: (1, h, w).

        Terms of a map as a whole add nothing.
        """
        total = torch.zeros_like(cells[:, 0])
        for summand in self.terms:
            if isinstance(summand.term, CellTerm):
                total += summand.weight * summand.term.each(cells / summand.scale)
        return total

    def total(
        self, cells: Mapping[int, Tensor], locations: Mapping[int, MapLocation], factor: int
    ) -> Tensor:
        """`factor` times the share of some cells, possibly of several maps, in the objective.

        For additive objectives. With the number of cells as factor it does not underflow in half
        precision, as a mean over a million cells would.
        """
        values = [
            summand.value(cells[summand.map_index], locations[summand.map_index])
            * (factor / locations[summand.map_index].counted.area)
            for summand in self.terms
        ]
        return torch.stack(values).sum()

    def grad(self, cells: Tensor, number: int, location: MapLocation, factor: int) -> Tensor:
        """`factor` times the objective's gradient at some cells (1, C, h, w) of map `number`."""
        own = self.for_map(number)
        if (term := own._differentiated) is not None:
            weight, scale = own.terms[0].weight, own.terms[0].scale
            of_value = cells.new_ones(()) * (factor / location.counted.area) * weight
            return term.backward(cells / scale, of_value).div_(scale)
        if not own.terms:
            return torch.zeros_like(cells)
        with torch.enable_grad():
            cells = cells.detach().requires_grad_(True)
            (grad,) = torch.autograd.grad(
                own.total({number: cells}, {number: location}, factor), cells
            )
        return grad

    def value(
        self, maps: Sequence[Tensor] | Mapping[int, Tensor], locations: MapLocations | None = None
    ) -> Tensor:
        """The objective of complete maps, as a network gives them for a picture. A scalar."""
        values = []
        for summand in self.terms:
            cells = maps[summand.map_index]
            location = _whole_map(cells) if locations is None else locations[summand.map_index]
            count = location.counted.area if summand.term.additive else 1
            values.append(summand.value(cells, location) / count)
        return torch.stack(values).sum()

    def linearise(self, maps: Mapping[int, Tensor], locations: MapLocations) -> Objective:
        """This objective with each term of a whole map replaced by its gradient at these maps."""
        return Objective(tuple(_linearise(s, maps, locations) for s in self.terms))

    # Asked for in every step and tile, and `isinstance` of a protocol takes its time.

    @cached_property
    def _on_maps(self) -> dict[int, Objective]:
        return {}

    @cached_property
    def _differentiated(self) -> DifferentiatedTerm | None:
        """The only term, if it knows its gradient."""
        if len(self.terms) != 1:
            return None
        term = self.terms[0].term
        return term if isinstance(term, DifferentiatedTerm) else None


@dataclass(frozen=True)
class SparseObjective:
    """An objective of a map that has only the channels that it uses.

    Attributes:
        channels: their numbers in the whole map, ascending.
        objective: of the map that has only these.
    """

    channels: list[int]
    objective: Objective


def _linearise(
    summand: WeightedTerm, maps: Mapping[int, Tensor], locations: MapLocations
) -> WeightedTerm:
    if summand.term.additive:
        return summand
    with torch.enable_grad():
        cells = maps[summand.map_index].detach().requires_grad_(True)
        value = summand.value(cells, locations[summand.map_index])
        (grad,) = torch.autograd.grad(value, cells)
    return WeightedTerm(1.0, summand.map_index, 1.0, LinearTerm(grad))


def _whole_map(cells: Tensor) -> MapLocation:
    rows, columns = cells.shape[-2:]

    def focus(x: float, y: float) -> tuple[int, int]:
        return min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)

    return MapLocation(Window.whole(rows, columns), Window.whole(rows, columns), focus)


def single_term(term: Term) -> Objective:
    """An objective with one term, on a network's first map."""
    return Objective((WeightedTerm(1.0, 0, 1.0, term),))
