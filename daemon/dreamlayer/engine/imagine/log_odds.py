"""Log odds of a class, for pictures imagined from noise.

A logit alone is also raised by whatever raises all logits, contrast above all, and by features
that the class shares with similar classes. The logit minus the log-sum-exp of all others grows
only with what distinguishes the class: strawberries turn red. On a photo it would rather remove
the other content.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.terms import LogitTerm, MapLocation


@dataclass(frozen=True)
class LogOddsTerm:
    """log(p / (1 − p)), where p is the probability of a class."""

    logit: LogitTerm
    additive = False

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        logits = self.logit.logits(cells)[0]
        number = self.logit.class_index
        others = torch.cat([logits[:number], logits[number + 1 :]])
        return logits[number] - others.logsumexp(dim=0)


def with_log_odds(objective: Objective) -> Objective:
    """The objective with log odds in place of logits that have a positive weight."""
    return Objective(
        tuple(
            replace(summand, term=LogOddsTerm(summand.term))
            if isinstance(summand.term, LogitTerm) and summand.weight > 0
            else summand
            for summand in objective.terms
        )
    )
