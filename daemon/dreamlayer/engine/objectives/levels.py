"""How much of an objective is in a picture, as numbers that have ratios, and the unit of a rise.

gain = 1 + (level of the result − level of the source) / unit of the source
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from dreamlayer.engine.objectives.kind_terms import KindTerm
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.terms import (
    CellTerm,
    CosineTerm,
    DirectionTerm,
    GuideTerm,
    LogitTerm,
    MapLocation,
    SquaresTerm,
    Term,
)


def level_of(objective: Objective) -> Objective:
    """The objective with kinds by their energy: its logarithm, which spreads them, has no ratio."""
    return Objective(
        tuple(
            replace(summand, term=replace(summand.term, floor=None))
            if isinstance(summand.term, KindTerm)
            else summand
            for summand in objective.terms
        )
    )


def unit_of(objective: Objective) -> Objective:
    """What a gain in an objective is counted in: its terms in the source, each positive."""
    return Objective(tuple(_gain_unit(summand) for summand in objective.terms))


@dataclass
class _GainUnit:
    """A term's value in the source, never negative: the unit of its rise.

    - activations, weighted or not: their magnitude, so that a channel before its ReLU, whose mean
      may have any sign, is measured like one after it;
    - the cosine to a guide: 1 − cosine, the distance left to the guide;
    - a class: the standard deviation of the logits of all classes.
    """

    term: Term
    additive: bool

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        term = self.term
        if isinstance(term, CosineTerm):
            return 1 - term.value(cells, location)
        if isinstance(term, LogitTerm):
            return term.logits(cells).std()
        return self._positive.value(cells.abs(), location)

    def each(self, cells: Tensor) -> Tensor:
        """What each cell (1, C, h, w) adds to the value of an additive term: (1, h, w)."""
        term = self._positive
        return term.each(cells.abs()) if isinstance(term, CellTerm) else cells[:, 0] * 0.0

    @property
    def _positive(self) -> Term:
        if isinstance(self.term, DirectionTerm):
            return DirectionTerm(self.term.vector.abs())
        if isinstance(self.term, GuideTerm):
            return GuideTerm(self.term.features.abs())
        return self.term


def _gain_unit(summand: WeightedTerm) -> WeightedTerm:
    positive = replace(summand, weight=abs(summand.weight))
    if isinstance(summand.term, SquaresTerm):
        return positive  # never negative already; saves computing another term
    return replace(positive, term=_GainUnit(summand.term, summand.term.additive))
