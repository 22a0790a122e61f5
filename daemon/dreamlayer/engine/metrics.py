"""Objective quality metrics for a dream."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.ascent.ascent import APRON
from dreamlayer.engine.image.planes import ComputedPlane, TensorOrPlane, as_plane
from dreamlayer.engine.objectives.binding import bind
from dreamlayer.engine.objectives.levels import level_of, unit_of
from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.regional import AnyObjective, RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.expression import Expression
from dreamlink.recipe.recipe import Recipe

SHIFTS = 16


def gain(
    source: TensorOrPlane,
    result: TensorOrPlane,
    network: Network,
    recipe: Recipe,
    window: Window,
    guide: Tensor | None = None,
    painted: ShareMap | None = None,
) -> float | None:
    """The gain of a result: how much more it excites the recipe's objective than the source does.

    The mean of the gains of a `GainMeter`; None if the source does not excite the objective at all.
    Of a dream map, `painted` are its regions, and the result is the mean over them.
    """
    meters = [GainMeter(source, network, recipe, window, guide)] if painted is None else [
        GainMeter(
            source, network, recipe, window, guide,
            MeasuredRegion(recipe.bindings()[number].expression, painted.alone(index)),
        )
        for index, number in enumerate(painted.numbers)
    ]  # fmt: skip
    gains = [value for meter in meters for value in meter.gains(result)]
    return sum(gains) / len(gains) if gains else None


@dataclass(frozen=True)
class MeasuredRegion:
    """What to measure in one region of a dream map.

    Attributes:
        expression: the objective, the region's own or another.
        painted: one plane, more than 0.5 in the region.
    """

    expression: Expression
    painted: ShareMap


class GainMeter:
    """Measures the gain of results (1, 3, H, W) over their source.

        gain = 1 + (objective of the result − objective of the source) / unit

    The unit is the value of the objective's terms in the source, each counted positive, averaged
    over the shifts: a single shift may see next to nothing of a rare feature. So for a layer and
    its channels the gain is simply after / before, and objectives that can be zero or negative
    have a gain as well (see `objectives/levels.py`). An objective that is dreamed away can fall to
    zero at most, and a cosine can rise to 1 at most: their gains stay below 2.

    Args:
        source: (1, 3, H, W), 0..1, on the network's device.
        network: ends at the layers of the recipe.
        window: the dreamed part; only cells that see it are counted.
        guide: (1, 3, h, w), 0..1, for expressions that need one.
        region: of a dream map, instead of the recipe's expression in the whole window.
    """

    def __init__(
        self,
        source: TensorOrPlane,
        network: Network,
        recipe: Recipe,
        window: Window,
        guide: Tensor | None = None,
        region: MeasuredRegion | None = None,
    ) -> None:
        expression = recipe.expression() if region is None else region.expression
        objective = level_of(bind(expression, network, guide))
        side = recipe.tile
        units = unit_of(objective)

        def tiled_objectives(target: Objective) -> list[TiledObjective]:
            there: AnyObjective = target
            if region is not None:
                there = RegionalObjective.of([target], region.painted, network.scales)
            canvases = grid_canvases(source, network, recipe)
            return [TiledObjective(network, there, canvas, window, side) for canvas in canvases]

        self._objectives = tiled_objectives(objective)
        self._before = [tiled.value(source) for tiled in self._objectives]
        self._units = self._before
        if units != objective:
            self._units = [tiled.value(source) for tiled in tiled_objectives(units)]

    def gains(self, result: TensorOrPlane) -> list[float]:
        """The gain at each of 16 shifts of the network's grid, after rounding to 8 bits.

        A dream made at one phase of the grid scores too high at that phase, and detail too faint
        for 8 bits must not count. Empty if the source does not excite the layers.
        """
        unit = sum(self._units) / len(self._units)
        if unit <= 0:
            return []
        rounded = ComputedPlane(
            lambda pixels: (pixels * 255.0).round() / 255.0, (as_plane(result),)
        )
        return [
            1 + (tiled.value(rounded) - before) / unit
            for tiled, before in zip(self._objectives, self._before, strict=True)
        ]


def grid_canvases(picture: TensorOrPlane, network: Network, recipe: Recipe) -> list[PictureCanvas]:
    """The picture as the steps of a dream present it to the network, at 16 grid shifts."""
    height, width = picture.shape[-2:]
    stride, apron = network.stride, APRON * network.stride
    random = torch.Generator().manual_seed(SHIFTS)
    shifts = torch.randint(stride, (SHIFTS, 2), generator=random).tolist()
    return [
        PictureCanvas(height, width, 2 * apron + stride, (apron + down, apron + right), recipe.wrap)
        for down, right in shifts
    ]
