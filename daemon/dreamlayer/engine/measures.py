"""Measures without taste: numbers that say how good a dream is."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.engine.canvas import Canvas
from dreamlayer.engine.dream import AUTOMATIC_SIDE, Dreamer
from dreamlayer.engine.gradient import TiledObjective
from dreamlayer.engine.objectives import objective
from dreamlayer.engine.tiles import Window
from dreamlink.recipe import Recipe

SHIFTS = 16


def gain(
    source: Tensor, result: Tensor, network: Dreamer, recipe: Recipe, window: Window
) -> float | None:
    """How many times larger the objective is in the result than in the source.

    The mean over 16 shifts of the network's grid, after rounding to 8 bit: a dream made at one
    phase of the grid alone would look better at that phase than it is. None if the source does
    not excite the layer at all.

    Args:
        source, result: (1, 3, H, W), 0..1.
        window: where the dream is; only cells that see it are counted.
    """
    target = objective(recipe.channel_numbers())
    random = torch.Generator().manual_seed(SHIFTS)
    shifts = torch.randint(network.stride, (SHIFTS, 2), generator=random).tolist()
    before = after = 0.0
    for down, right in shifts:
        height, width = source.shape[-2:]
        canvas = Canvas(height, width, network.stride, (down, right))
        tiled = TiledObjective(network, target, canvas, window, recipe.tile or AUTOMATIC_SIDE)
        before += tiled.value(source)
        after += tiled.value(_rounded(result))
    return after / before if before > 0 else None


def _rounded(picture: Tensor) -> Tensor:
    return (picture * 255.0).round() / 255.0
