"""A quick look: what a dream will look like, first roughly after a tenth of a second, then better.

How a dream looks hangs on how large its octaves are: eyes and strokes have the size of the cells'
fields, beside things that shrink with the octave. A look ahead therefore never dreams on a smaller
copy with octaves of its own: its things would be larger, and others. It dreams the dream's own
octaves, of the same sizes beside the picture's content, beginning with the coarsest; these bring
the large shapes, and are cheap. What it leaves out are the finest octaves, and steps, for which
the others go further. The detail is laid over the sharp picture each time.

A look depends on the recipe and its seed only, never on the clock.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from dreamlayer.engine.dream import dream
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane, TensorOrPlane
from dreamlayer.engine.octave_loop import DreamResult, OctaveProgress
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

FIRST_LOOK_WORK = (
    2.0e5  # pixels × steps: about a tenth of a second of the default network, on one core
)
WORK_RATIO = 3.0  # times the work that a look has at least over the one before it
LEAST_STEPS = 2

Size = tuple[int, int]


@dataclass(frozen=True)
class QuickLook:
    """What the dream is expected to look like; a better one follows.

    Attributes:
        fraction: of all the work that is done.
        dreamt: as of a dream.
    """

    fraction: float
    result: DreamResult


@dataclass(frozen=True)
class QuickLookPlan:
    """The octaves and steps of one look."""

    sizes: Sequence[Size]
    steps: int
    work: float  # pixels × steps


def look_sizes(size: Size, recipe: Recipe, reduced: float, minimum: int) -> list[Size]:
    """The octaves (h, w) of a dream that fit into a copy of its picture, coarse to fine.

    Args:
        size: (h, w) of the copy.
        recipe: of the dream.
        reduced: how many times smaller the copy is. If even the dream's coarsest octave is larger
            than the copy, that one octave is dreamed at the copy's size: the best there is.
        minimum: px, of the network.
    """
    scale, coarsest = recipe.octave_scale, recipe.octaves - 1 - recipe.supersample
    finest = math.ceil(round(math.log(reduced, scale), 6))
    if finest > coarsest:
        return [size]
    factor = scale**finest / reduced
    fitting = (max(1, round(size[0] / factor)), max(1, round(size[1] / factor)))
    return resize.octave_sizes(*fitting, coarsest - finest + 1, scale, minimum)


def plan_looks(
    all_sizes: Sequence[Size], whole: Size, window: Window, recipe: Recipe
) -> list[QuickLookPlan]:
    """The looks, from rough to good; the last has all octaves and all the recipe's steps."""
    samples = recipe.noise_samples if recipe.noise > 0 else 1
    areas = [window.scale(whole, size).area * samples for size in all_sizes]
    count, steps = len(areas), recipe.steps
    last = QuickLookPlan(all_sizes, steps, sum(areas) * steps)
    few = min(steps, max(LEAST_STEPS, int(FIRST_LOOK_WORK / areas[0])))
    found = [QuickLookPlan(all_sizes[:1], few, areas[0] * few)]
    for octave in range(2, count):
        some = max(few, math.ceil(steps * octave / count))
        plan = QuickLookPlan(all_sizes[:octave], some, sum(areas[:octave]) * some)
        if plan.work >= WORK_RATIO * found[-1].work:
            found.append(plan)
    return [*(plan for plan in found if plan.work * WORK_RATIO <= last.work), last]


def run_quick_look(
    source: TensorOrPlane,
    network: Network,
    recipe: Recipe,
    window: Window,
    reduced: float = 1.0,
    *,
    mask: Tensor | None = None,
    guide: Tensor | None = None,
    previous_detail: Plane | None = None,
    carry: float = 0.0,
) -> Generator[OctaveProgress | QuickLook, None, DreamResult]:
    """Dream on a copy of a picture, `reduced` so many times; the other arguments are `dream`'s.

    Yields:
        Progress after every tile, and a Look now and then.

    Raises:
        TooSmall, ValueError: as `dream`.
    """
    size = (source.shape[-2], source.shape[-1])
    series = plan_looks(look_sizes(size, recipe, reduced, network.minimum), size, window, recipe)
    work, done = sum(plan.work for plan in series), 0.0
    for plan in series:
        # As far as the whole dream climbs. Fewer steps see fewer shifts of the grid, no more.
        length = recipe.step_size * recipe.steps / plan.steps
        steps = replace(recipe, steps=plan.steps, step_size=length)
        dreaming = dream(
            source, network, steps, window, mask=mask, guide=guide, sizes=plan.sizes,
            previous_detail=previous_detail, carry=carry,
        )  # fmt: skip
        while True:
            try:
                now = next(dreaming)
            except StopIteration as end:
                dreamt: DreamResult = end.value
                break
            yield replace(now, fraction=(done + now.fraction * plan.work) / work)
        done += plan.work
        if plan is not series[-1]:
            yield QuickLook(done / work, dreamt)
    return dreamt
