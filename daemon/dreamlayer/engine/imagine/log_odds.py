"""A class against all others, for pictures that start from nothing.

A logit alone is also raised by what all logits share, contrast above all, and by what the class
shares with its relatives. Less the logarithm of the others' sum it grows only with what sets the
class apart: strawberries turn red. In a photo it would rather remove what else is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine.objectives.terms import LogitTerm, MapLocation, Objective


@dataclass(frozen=True)
class LogOddsTerm:
    """The logarithm of p / (1 − p), p being the probability of a class."""

    logit: LogitTerm
    additive = False

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        logits = self.logit.logits(cells)[0]
        number = self.logit.class_index
        others = torch.cat([logits[:number], logits[number + 1 :]])
        return logits[number] - others.logsumexp(dim=0)


def with_log_odds(objective: Objective) -> Objective:
    """The objective with log odds in place of the logits that are to grow."""
    return Objective(
        tuple(
            replace(summand, term=LogOddsTerm(summand.term))
            if isinstance(summand.term, LogitTerm) and summand.weight > 0
            else summand
            for summand in objective.terms
        )
    )
