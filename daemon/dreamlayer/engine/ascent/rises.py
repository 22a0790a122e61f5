"""How far the objectives of a dream map have risen in each other's regions, as a dream goes on.

Which of the others rises in a region is not known before: it depends on what grows there. So it is
looked up every few steps, and what has risen is pulled down (`objectives/regional.py`), what has
not is left alone.

    rise_rs = (level of objective s in region r − its level there without the dream) / its unit
    risen_rs = rise_rs / max(1, rise_rr), within 0..1, and all others of a region together ≤ 1

Levels are measured in a small copy of the dreamed window: the same for any tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from dreamlayer.engine.ascent.region_levels import RegionLevels
from dreamlayer.engine.image.planes import Plane
from dreamlayer.engine.objectives.levels import level_of, unit_of
from dreamlayer.engine.objectives.regional import AnyObjective, RegionalObjective
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork

EVERY = 3  # steps
FULLY = 0.5  # of the own objective's rise: what has risen so far is opposed as strongly as it
GRADES = 1024  # that a rise is rounded to: not one bit of it depends on the order of a sum
UNSEEN = 0.5 / 255  # of the range: where less has changed, nothing can have risen


class RiseMeter:
    """Gives the objective of each step of a dream; `begin` says what is dreamed on.

    Attributes:
        objective: of the last step.
    """

    def __init__(self, objective: RegionalObjective, network: TileableNetwork) -> None:
        self.objective, self._network = objective, network
        self._levels = [level_of(part) for part in objective.parts]
        self._meter: RegionLevels | None = None
        self._before: tuple[Tensor, Tensor] | None = None
        self._steps = 0

    @classmethod
    def of(cls, objective: AnyObjective, network: TileableNetwork) -> RiseMeter | None:
        """What measures a dream; None if it has no map."""
        return cls(objective, network) if isinstance(objective, RegionalObjective) else None

    def begin(self, base: Plane, picture: Callable[[], Plane]) -> None:
        """Begin an octave or a stage.

        Args:
            base: (1, 3, h, w), R, G, B in 0..1, of the dreamed window: without the dream.
            picture: reads the same with the dream so far.
        """
        self.base, self._picture = base, picture

    @property
    def is_due(self) -> bool:
        """Whether the next step's objective will be measured anew."""
        return self._steps % EVERY == 0

    def next_objective(self) -> RegionalObjective:
        """The objective of the next step."""
        if self.is_due:
            self.objective = replace(self.objective, risen=self._risen())
        self._steps += 1
        return self.objective

    def _risen(self) -> tuple[tuple[float, ...], ...]:
        """How far each objective has risen [region][objective], 0..1; (): nothing has."""
        if self._meter is None:
            # One size for all octaves, so that the picture without the dream is measured once.
            size = (self.base.shape[-2], self.base.shape[-1])
            self._meter = RegionLevels(self.objective, self._network, size)
        small = self._meter.copy(self._picture())
        if self._before is None:
            base = self._meter.copy(self.base)
            if float((small - base).abs().max()) < UNSEEN:
                return ()
            units = [unit_of(level) for level in self._levels]
            both = self._meter.values(base, [*self._levels, *units])
            self._before = both[:, : len(units)], both[:, len(units) :]
        before, unit = self._before
        now = self._meter.values(small, self._levels)
        rises = torch.where(unit > 0, (now - before) / unit, 0.0).nan_to_num(0.0)
        own = rises.diagonal().clamp_min(1.0)[:, None] * FULLY
        shares = (rises / own).clamp(0, 1).fill_diagonal_(0)
        shares /= shares.sum(dim=1, keepdim=True).clamp_min(1.0)
        grades = (shares * GRADES).round() / GRADES
        return tuple(tuple(row) for row in grades.tolist())
