"""Objective quality metrics for a dream."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine.ascent.ascent import APRON
from dreamlayer.engine.image.planes import ComputedPlane, TensorOrPlane, as_plane
from dreamlayer.engine.objectives.binding import bind
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.regional import AnyObjective, RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.objectives.terms import (
    CosineTerm,
    DirectionTerm,
    GuideTerm,
    LogitTerm,
    MapLocation,
    SquaresTerm,
    Term,
)
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
    have a gain as well (see `_GainUnit`). An objective that is dreamed away can fall to zero at
    most, and a cosine can rise to 1 at most: their gains stay below 2.

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
        # Kinds by their energy: its logarithm, which spreads them, has no ratio.
        expression = recipe.expression() if region is None else region.expression
        objective = bind(expression, network, guide, "one")
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
        if isinstance(term, DirectionTerm):
            term = DirectionTerm(term.vector.abs())
        if isinstance(term, GuideTerm):
            term = GuideTerm(term.features.abs())
        return term.value(cells.abs(), location)


def unit_of(objective: Objective) -> Objective:
    """What a gain in an objective is counted in: its terms in the source, each positive."""
    return Objective(tuple(_gain_unit(summand) for summand in objective.terms))


def _gain_unit(summand: WeightedTerm) -> WeightedTerm:
    positive = replace(summand, weight=abs(summand.weight))
    if isinstance(summand.term, SquaresTerm):
        return positive  # never negative already; saves computing another term
    return replace(positive, term=_GainUnit(summand.term, summand.term.additive))
