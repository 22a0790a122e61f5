"""Independent score of an imagined class: its probability in views that were not optimised."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.engine.imagine.imagine import imagine
from dreamlayer.engine.objectives.binding import bind, layer_names
from dreamlayer.networks.network import CLASS, Network, extract
from dreamlink.recipe.recipe import Recipe

VIEWS = 16
RESCALE = 0.2  # larger or smaller by up to this fraction
SHIFT = 0.12  # of the picture's sides, up to this fraction


def imagined(
    recipe: Recipe, size: tuple[int, int], seed: int = 1, network: Network | None = None
) -> Tensor:
    """Imagine the picture of a recipe, run to its end."""
    network = network or extract(recipe.model, layer_names(recipe))
    random = torch.Generator().manual_seed(seed)
    steps = imagine(size, network, bind(recipe.expression(), network), recipe, random)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def probabilities(picture: Tensor, network: Network) -> Tensor:
    """The probabilities of all classes (VIEWS, classes), for 8-bit views, rescaled and shifted.

    Unlike `transforms.py`: antialiased and bicubic, with mid-grey beyond the borders.
    """
    random = torch.Generator().manual_seed(99)
    picture = (picture * 255).round() / 255
    height, width = picture.shape[-2:]
    found = []
    for _ in range(VIEWS):
        larger, down, right = (2 * torch.rand(3, generator=random) - 1).tolist()
        factor = 1 + RESCALE * larger
        size = (round(height * factor), round(width * factor))
        seen = F.interpolate(picture, size, mode="bicubic", antialias=True).clamp(0, 1)
        seen = _shifted(seen, round(SHIFT * down * height), round(SHIFT * right * width))
        with torch.no_grad():
            last = network(seen)[network.layers.index(CLASS)]
            found.append(network.logits(last)[0].softmax(dim=0))
    return torch.stack(found)


def _shifted(picture: Tensor, down: int, right: int) -> Tensor:
    height, width = picture.shape[-2:]
    border = (max(0, right), max(0, -right), max(0, down), max(0, -down))
    padded = F.pad(picture, border, value=0.5)
    top, left = max(0, -down), max(0, -right)
    return padded[..., top : top + height, left : left + width]
