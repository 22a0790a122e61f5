"""At which sizes a picture is painted, for how many steps each, and the octaves that follow.

The network's creatures are as large as its receptive field, in pixels of the stage that draws them.
The first stage draws what is there; the others refine it. So the first stage's size sets the size
of what is dreamed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from dreamlink.recipe.recipe import Recipe

PAINTED_SIDE = 1024  # px; longer side of the largest stage, which octaves of steps then continue
FIRST_SIDE = 240  # px; longer side of the first stage, for a picture of STANDARD_SIDE
STANDARD_SIDE = 480  # px; the first stage grows with the square root of the picture
LEAST_SIDE = 64  # px; the first stage is not smaller than this, unless the picture is
CLOSE = 1.25  # sizes with a smaller ratio are not worth a stage or an octave of their own
STEPS = 6  # for each of the recipe's steps, which are meant for one of many octaves
RATE = 0.1  # of Adam, in each of these steps
SHARES = {1: (1.0,), 2: (0.6, 0.4), 3: (0.5, 0.32, 0.18)}  # of all steps, by number of stages

Size = tuple[int, int]


@dataclass(frozen=True)
class PaintingStage:
    """One size at which a picture is painted.

    Attributes:
        side: px, the picture's longer side.
        steps: how many are taken.
        before: how many all the stages before it take.
        total: how many all the stages take.
        rate: of Adam; a rough look takes fewer steps, and larger ones.
    """

    side: float
    steps: int
    before: int
    total: int
    rate: float = RATE


def painting_stages(longer: float, recipe: Recipe) -> list[PaintingStage]:
    """The stages of a painting, coarse to fine.

    Args:
        longer: px, the longer side of the picture.
        recipe: `size` divides the first stage's side, `steps` counts six steps here.
    """
    last = min(longer, PAINTED_SIDE)
    first = FIRST_SIDE * math.sqrt(last / STANDARD_SIDE) / recipe.size
    first = min(last, max(LEAST_SIDE, first))
    if last / first < CLOSE:
        sides = [last]
    elif last / first < CLOSE**2:
        sides = [first, last]
    else:
        sides = [first, math.sqrt(first * last), last]
    steps = [max(1, round(share * STEPS * recipe.steps)) for share in SHARES[len(sides)]]
    before = [0, *accumulate(steps)]
    return [
        PaintingStage(side, count, earlier, sum(steps))
        for side, count, earlier in zip(sides, steps, before, strict=False)
    ]


def finer_octaves(size: Size) -> list[Size]:
    """The sizes (h, w) above the last stage, up to the picture's own: each twice the one before."""
    octaves, longer = 0, float(max(size))
    while longer >= PAINTED_SIDE * CLOSE:
        octaves, longer = octaves + 1, longer / 2
    return [scaled_size(size, max(size) / 2**octave) for octave in range(octaves - 1, -1, -1)]


def painting_sizes(size: Size, recipe: Recipe) -> list[Size]:
    """All sizes (h, w) of a painted dream of a picture, coarse to fine."""
    stages = painting_stages(max(size), recipe)
    return [*(scaled_size(size, stage.side) for stage in stages), *finer_octaves(size)]


def scaled_size(size: Size, longer: float) -> Size:
    """A size (h, w) of the same aspect ratio, at least 1 × 1, whose longer side is `longer`."""
    factor = longer / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
