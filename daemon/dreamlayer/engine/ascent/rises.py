"""How far the objectives of a dream map have risen in each other's regions, as a dream goes on.

Which of the others rises in a region is not known before: it depends on what grows there. So it is
looked up every few steps, and what has risen is pulled down (`objectives/regional.py`), what has
not is left alone.

    rise_rs = (level of objective s in region r − its level there without the dream) / its unit
    risen_rs = rise_rs / max(1, rise_rr), within 0..1, and all others of a region together ≤ 1
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dreamlayer.engine.objectives.levels import level_of, unit_of
from dreamlayer.engine.objectives.regional import AnyObjective, RegionalObjective
from dreamlayer.engine.objectives.tally import RegionTally

GRADES = 1024  # that a rise is rounded to: not one bit of it depends on the order of a sum


class RiseMeter:
    """Gives the steps of a dream their objective, and learns from what is measured in them.

    Attributes:
        objective: of the next step.
        every: how many steps it takes from one measurement to the next.
    """

    def __init__(self, objective: RegionalObjective, every: int) -> None:
        self.objective, self.every = objective, every
        self._levels = [level_of(part) for part in objective.parts]
        self._units = [unit_of(level) for level in self._levels]
        self._before: tuple[Tensor, Tensor] | None = None
        self._steps = 0

    @classmethod
    def of(cls, objective: AnyObjective, every: int) -> RiseMeter | None:
        """What measures a dream; None if it has no map."""
        return cls(objective, every) if isinstance(objective, RegionalObjective) else None

    @property
    def knows_before(self) -> bool:
        """Whether the picture without the dream has been measured."""
        return self._before is not None

    def forget_before(self) -> None:
        """Begin an octave: at another size another picture is measured."""
        self._before, self._steps = None, 0

    def begin_step(self) -> bool:
        """Count a step; returns whether something is to be measured in it."""
        self._steps += 1
        return (self._steps - 1) % self.every == 0

    def tally(self) -> RegionTally:
        """What measures a picture: at first the one without the dream."""
        wanted = self._levels if self.knows_before else [*self._levels, *self._units]
        return RegionTally(wanted, self.objective.shares)

    def learn(self, tally: RegionTally) -> None:
        """Learn from the picture without the dream, or else from the one dreamed so far."""
        now = tally.means()
        if self._before is None:
            count = len(self._levels)
            self._before = now[:, :count], now[:, count:]
        else:
            self.objective = replace(self.objective, risen=_risen(now, *self._before))


def _risen(now: Tensor, before: Tensor, unit: Tensor) -> tuple[tuple[float, ...], ...]:
    """How far each objective has risen [region][objective], 0..1."""
    rises = torch.where(unit > 0, (now - before) / unit, 0.0).nan_to_num(0.0)
    own = rises.diagonal().clamp_min(1.0)[:, None]
    shares = (rises / own).clamp(0, 1).fill_diagonal_(0)
    shares /= shares.sum(dim=1, keepdim=True).clamp_min(1.0)
    grades = (shares * GRADES).round() / GRADES
    return tuple(tuple(row) for row in grades.tolist())
