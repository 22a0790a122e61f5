"""How far a picture is reduced for a quick look, and the recipe for the reduced picture.

A look shows what the dream will be like only while the picture is reduced no further than the
dream's coarsest octave: what is dreamed on finer octaves could not be seen in a smaller picture.
Of a larger picture a part is shown.

A painted dream begins small, however large the picture is, and its things are as large as a share
of the whole picture. So its look shows all of the picture.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..picture import MAX_SIDE, Region
from ..recipe.recipe import Recipe
from ..wire.messages import QUICK_MAX

LOOK_SEED = 1  # in place of a random one: so looks differ by their settings only


def most_reduced(recipe: Recipe) -> float:
    """How many times smaller than its part of the picture a look may be; at least 1."""
    if recipe.is_painted:
        return math.inf
    return recipe.octave_scale ** (recipe.octaves - 1)


def longest_side(recipe: Recipe, side: int) -> int:
    """Pixels of a picture's longer side beyond which a look of `side` pixels shows a part."""
    return int(min(side * most_reduced(recipe), MAX_SIDE))


def reduction(box: Region, recipe: Recipe, side: int) -> float:
    """How many times to reduce the picture for a look at `box` or, if that is large, a part of it.

    At least 1; the look has at most `side` × `side` pixels.
    """
    longest = max(box.width, box.height)
    return max(1.0, min(longest / side, most_reduced(recipe)))


def reduction_to_fit(region: Region, picture: Region, side: int, most: int = QUICK_MAX) -> float:
    """How many times to reduce a picture so that all of `region` fits into a look; at least 1.

    The region then has at most `side` × `side` pixels, and the picture around it `most` × `most`.
    """
    return max(
        1.0,
        max(region.width, region.height) / side,
        max(picture.width, picture.height) / most,
    )


def reduced_recipe(recipe: Recipe, factor: float) -> Recipe:
    """The recipe for a picture reduced `factor` times, with a fixed seed in place of a random one.

    Lengths in pixels become as much shorter; the daemon reduces the rest (`DreamRequest.reduced`).
    """
    return replace(recipe, feather=recipe.feather / factor, seed=recipe.seed or LOOK_SEED)
