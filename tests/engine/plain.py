"""The loop of 2015 as it is usually copied, as a baseline for Dreamlayer.

Sources: the notebook of Mordvintsev, Olah and Tyka (google/deepdream, 2015) and the tiled variant
in TensorFlow's tutorials (2015). Its simplifications:

- octaves: the picture itself is resized from one to the next, so the source becomes blurred too;
- tiles: each is a picture of its own, without surroundings, and its objective is the mean over its
  own cells; the remainder at the right and bottom makes smaller tiles;
- roll: by less than a tile, around the edges of the picture;
- the gradient is not conditioned, and the range is clipped hard.

Network, objective, octaves, steps and step size are the recipe's, so that only the loop differs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.objectives.objective import Objective
from dreamlink.recipe.recipe import Recipe

TILE = 160  # px; for a small picture, as 512 is for a large one
JITTER = 32  # px


def plain_dream(
    source: Tensor, network, objective: Objective, recipe: Recipe, tile: int = TILE
) -> Tensor:
    """The dreamed picture (1, 3, H, W)."""
    random = torch.Generator().manual_seed(recipe.seed)
    height, width = source.shape[-2:]
    sizes = resize.octave_sizes(
        height, width, recipe.octaves, recipe.octave_scale, network.minimum, recipe.supersample
    )
    x = source
    for size in sizes:
        x = resize.resize(x, size).clamp(0, 1)
        for _ in range(recipe.steps):
            shift = torch.randint(-JITTER, JITTER + 1, (2,), generator=random).tolist()
            shift = shift if recipe.roll else [0, 0]
            rolled = torch.roll(x, shift, (-2, -1))
            gradient = naive_gradient(rolled, network, objective, tile)
            gradient /= gradient.abs().mean() + 1e-7
            rolled = rolled + recipe.step_size / 255 * gradient
            x = torch.roll(rolled, [-s for s in shift], (-2, -1)).clamp(0, 1)
    return resize.resize(x, (height, width)).clamp(0, 1)


def naive_gradient(x: Tensor, network, objective: Objective, tile: int) -> Tensor:
    """The gradient assembled from independent tiles.

    Tiles too small for the network get a gradient of 0.
    """
    gradient = torch.zeros_like(x)
    for top in range(0, x.shape[-2], tile):
        for left in range(0, x.shape[-1], tile):
            place = (..., slice(top, top + tile), slice(left, left + tile))
            part = x[place].detach().clone().requires_grad_(True)
            if min(part.shape[-2:]) >= network.minimum:
                value = objective.value(network(part))
                (gradient[place],) = torch.autograd.grad(value, part)
    return gradient
