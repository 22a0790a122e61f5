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

from dreamlayer.engine.ascent.ascent import APRON
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane, read_all
from dreamlayer.engine.objectives.levels import level_of, unit_of
from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window

MEASURED_SIDE = 192  # px, of the longer side of the copy
EVERY = 5  # steps
GRADES = 1024  # that a rise is rounded to: not one bit of it depends on the order of a sum


class RiseMeter:
    """Gives the objective of each step of an octave or a stage.

    Args:
        base: (1, 3, h, w), R, G, B in 0..1, of the dreamed window: without the dream.
        picture: reads the same with the dream so far.

    Attributes:
        objective: of the last step.
    """

    def __init__(
        self,
        objective: RegionalObjective,
        network: TileableNetwork,
        base: Plane,
        picture: Callable[[], Plane],
    ) -> None:
        self.objective, self._network = objective, network
        self.base, self._picture = base, picture
        self._levels = [level_of(part) for part in objective.parts]
        self._before: tuple[Tensor, Tensor] | None = None
        self._steps = 0

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
        """How far each objective has risen [region][objective], 0..1."""
        if self._before is None:
            units = [unit_of(level) for level in self._levels]
            levels, sizes = self._measure(self.base, [self._levels, units])
            self._before = levels, sizes
        before, unit = self._before
        (now,) = self._measure(self._picture(), [self._levels])
        rises = torch.where(unit > 0, (now - before) / unit, 0.0).nan_to_num(0.0)
        own = rises.diagonal().clamp_min(1.0)[:, None]
        shares = (rises / own).clamp(0, 1).fill_diagonal_(0)
        shares /= shares.sum(dim=1, keepdim=True).clamp_min(1.0)
        grades = (shares * GRADES).round() / GRADES
        return tuple(tuple(row) for row in grades.tolist())

    @torch.no_grad()
    def _measure(self, picture: Plane, wanted: list[list[Objective]]) -> list[Tensor]:
        """Values [region, objective] of each list, in float64; 0 of what needs a whole map."""
        shares, network = self.objective.shares, self._network
        factor = min(1.0, MEASURED_SIDE / max(picture.shape[-2:]))
        rows, columns = (max(network.minimum, round(n * factor)) for n in picture.shape[-2:])
        resized = resize.resize_plane(picture, (rows, columns), shares.wrap)
        small = read_all(resized).clamp(0, 1)
        stride = network.stride
        place = (APRON * stride, APRON * stride)
        canvas = PictureCanvas(rows, columns, 2 * APRON * stride, place, shares.wrap)
        whole = Window.whole(rows, columns)
        tiled = TiledObjective(network, self.objective, canvas, whole, 0)
        cells = tiled.infer_cells(small, dict(enumerate(tiled.layout.counted)))
        places = {k: tiled.layout.location(k, one) for k, one in enumerate(tiled.layout.counted)}
        return [self.objective.values_in(cells, places, some) for some in wanted]
