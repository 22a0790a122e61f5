"""A quick look: a preview of a dream, rough after a tenth of a second, then better and better.

The look of a dream depends on the size of its octaves: eyes and strokes are as large as the
receptive fields, relative to content that shrinks with the octave. So a quick look never dreams
on a smaller copy with that copy's own octaves: shapes would be larger, and different. It dreams
the dream's own octaves, at the same size relative to the picture's content, from the coarsest one
on; those make the large shapes, and are cheap. It omits the finest octaves, and some steps; the
remaining steps are longer. The detail is laid over the sharp picture each time.

A quick look depends on the recipe and its seed only, never on the clock.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from dreamlayer.engine.dream import dream
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane, TensorOrPlane
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.octave_loop import DreamResult, OctaveProgress
from dreamlayer.engine.painting.stages import PaintingStage, painting_stages, scaled_size
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

FIRST_LOOK_WORK = 2.0e5  # pixels × steps: about 0.1 s of the default network, on one core
WORK_RATIO = 3.0  # each look takes at least this many times the work of the previous one
LEAST_STEPS = 2
# A painting's second stage draws most of what is seen. So it is also painted in copies that are a
# little smaller than it.
ENLARGED = 1.7

Size = tuple[int, int]


@dataclass(frozen=True)
class QuickLook:
    """A preview of the dream; a better one follows.

    Attributes:
        fraction: share of the total work that is done, 0..1.
        result: the preview, as a finished dream.
    """

    fraction: float
    result: DreamResult


@dataclass(frozen=True)
class QuickLookPlan:
    """The octaves and steps of one quick look."""

    sizes: Sequence[Size]
    steps: int
    work: float  # pixels × steps


def look_sizes(size: Size, recipe: Recipe, reduced: float, minimum: int) -> list[Size]:
    """The octaves (h, w) of a dream that fit into a copy of its picture, coarse to fine.

    Args:
        size: (h, w) of the copy.
        recipe: of the dream.
        reduced: picture size / copy size. If even the dream's coarsest octave is larger than the
            copy, that one octave is dreamed at the copy's size, as the best approximation.
        minimum: px, the network's smallest side.
    """
    if recipe.is_painted:
        return [scaled_size(size, stage.side) for stage in look_stages(size, recipe, reduced)]
    scale, coarsest = recipe.octave_scale, recipe.octaves - 1 - recipe.supersample
    finest = math.ceil(round(math.log(reduced, scale), 6))
    if finest > coarsest:
        return [size]
    factor = scale**finest / reduced
    fitting = (max(1, round(size[0] / factor)), max(1, round(size[1] / factor)))
    return resize.octave_sizes(*fitting, coarsest - finest + 1, scale, minimum)


def look_stages(size: Size, recipe: Recipe, reduced: float) -> list[PaintingStage]:
    """The stages of a painted dream for a copy (h, w) of its picture, coarse to fine.

    Those up to `ENLARGED` times the copy's size. If the first one is larger, it is painted at that
    size, as the best approximation.
    """
    longer = max(size)
    stages = painting_stages(longer * reduced, recipe)
    most = ENLARGED * longer if reduced > 1 else float(longer)
    fitting = [stage for stage in stages if stage.side <= most]
    return fitting or [replace(stages[0], side=most)]


def _painted_looks(
    painting: Generator[OctaveProgress, None, DreamResult],
) -> Generator[OctaveProgress | QuickLook, None, DreamResult]:
    """A painting's own stages are its looks, so the dream becomes what they show."""
    while True:
        try:
            now = next(painting)
        except StopIteration as end:
            dreamt: DreamResult = end.value
            return dreamt
        yield now
        if now.partial_result is not None:
            yield QuickLook(now.fraction, now.partial_result())


def plan_looks(
    all_sizes: Sequence[Size], whole: Size, window: Window, recipe: Recipe
) -> list[QuickLookPlan]:
    """The series of looks, rough to good; the last has all octaves and all the recipe's steps."""
    samples = recipe.noise_samples if recipe.noise > 0 else 1
    areas = [window.scale(whole, size).area * samples for size in all_sizes]
    count, steps = len(areas), recipe.steps
    last = QuickLookPlan(all_sizes, steps, sum(areas) * steps)
    few = min(steps, max(LEAST_STEPS, int(FIRST_LOOK_WORK / areas[0])))
    looks = [QuickLookPlan(all_sizes[:1], few, areas[0] * few)]
    for octave in range(2, count):
        octave_steps = max(few, math.ceil(steps * octave / count))
        plan = QuickLookPlan(all_sizes[:octave], octave_steps, sum(areas[:octave]) * octave_steps)
        if plan.work >= WORK_RATIO * looks[-1].work:
            looks.append(plan)
    return [*(plan for plan in looks if plan.work * WORK_RATIO <= last.work), last]


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
    known: Plane | None = None,
    shares: ShareMap | None = None,
) -> Generator[OctaveProgress | QuickLook, None, DreamResult]:
    """Dream on a copy of a picture, reduced by a factor; see `dream` for the other arguments.

    Args:
        reduced: picture size / copy size, at least 1.

    Yields:
        OctaveProgress after every tile, and a QuickLook after each look but the last.

    Raises:
        PictureTooSmall, ValueError: as `dream`.
    """
    size = (source.shape[-2], source.shape[-1])
    if recipe.is_painted:
        stages = look_stages(size, recipe, reduced)
        painting = dream(
            source, network, recipe, window, mask=mask, guide=guide, stages=stages,
            previous_detail=previous_detail, carry=carry, known=known, shares=shares,
        )  # fmt: skip
        return (yield from _painted_looks(painting))
    plans = plan_looks(look_sizes(size, recipe, reduced, network.minimum), size, window, recipe)
    work, done = sum(plan.work for plan in plans), 0.0
    for plan in plans:
        # The total step length is that of the whole dream. Fewer steps only mean fewer grid shifts.
        length = recipe.step_size * recipe.steps / plan.steps
        steps = replace(recipe, steps=plan.steps, step_size=length)
        dreaming = dream(
            source, network, steps, window, mask=mask, guide=guide, sizes=plan.sizes,
            previous_detail=previous_detail, carry=carry, known=known, shares=shares,
        )  # fmt: skip
        while True:
            try:
                now = next(dreaming)
            except StopIteration as end:
                dreamt: DreamResult = end.value
                break
            yield replace(now, fraction=(done + now.fraction * plan.work) / work)
        done += plan.work
        if plan is not plans[-1]:
            yield QuickLook(done / work, dreamt)
    return dreamt
