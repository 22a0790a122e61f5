"""A look so small that nine of them are side by side: a rough one at once, then a finished one.

The rough one takes a few long steps, on a small copy if it is painted: enough to tell one dream
from another. It is thrown away, as what so long steps have made would stay visible. The finished
one takes as many steps as its size is worth; it shows what the quick look shows, less fine.

A look depends on the recipe and its seed only, never on the clock.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from torch import Tensor

from dreamlayer.engine.dream import dream
from dreamlayer.engine.image.planes import TensorOrPlane
from dreamlayer.engine.octave_loop import DreamResult, OctaveProgress
from dreamlayer.engine.painting.stages import (
    RATE,
    STEPS,
    PaintingStage,
    painting_stages,
    scaled_size,
)
from dreamlayer.engine.quick_look import LEAST_STEPS, QuickLook, look_sizes
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

# Of the rough look. One of the embedded networks takes about 0.1 s for it, on a core and a half.
ROUGH_SIDES = (96, 208)  # px; limits of the longer side at which it is painted, which is …
ROUGH_PART = 0.6  # … this share of the finished look's
ROUGH_STEPS = 8  # of a painting
ROUGH_WORK = 1.4e5  # pixels × steps, of a dream by steps
ROUGH_NOISE = 3  # of a recipe's steps, of a dream from noise: the fewest that show anything
# Of the finished look.
ENLARGED = 2.4  # times the copy's size it is painted at most, so that finer things are seen as such
FINE_WORK = 9.0e5  # pixels × steps, of a painting
FINE_STEPS = 24  # of a painting, at most; and at least half of them
FINE_NOISE = 8  # as ROUGH_NOISE
CLIMB = 3.0  # how far a painting's coefficients go at most: the sum of its rates
ROUGH_CLIMB = 2.0  # the same of the rough look, whose steps all go the same way
TILE = 512  # px, larger than any of these pictures: the best side need not be measured
WORTH = 1.5  # times the work of the rough look, or there is only the finished one

Size = tuple[int, int]


@dataclass(frozen=True)
class _Pass:
    """One dream that makes a look; `work` in pixels × steps, to tell progress by."""

    recipe: Recipe
    work: float
    sizes: list[Size] | None = None
    stages: list[PaintingStage] | None = None


def run_grid_look(
    source: TensorOrPlane,
    network: Network,
    recipe: Recipe,
    window: Window,
    reduced: float = 1.0,
    *,
    mask: Tensor | None = None,
) -> Generator[OctaveProgress | QuickLook, None, DreamResult]:
    """Dream on a small copy of a picture, reduced by a factor; see `dream` for other arguments.

    Args:
        reduced: picture size / copy size, at least 1.

    Yields:
        OctaveProgress after every tile, and a QuickLook when the rough look is there.

    Raises:
        PictureTooSmall, ValueError: as `dream`.
    """
    size = (source.shape[-2], source.shape[-1])
    recipe = replace(recipe, tile=recipe.tile or TILE)
    passes = _passes(size, window, recipe, reduced, network.minimum)
    total, done = sum(each.work for each in passes), 0.0
    for each in passes:
        dreaming = dream(
            source, network, each.recipe, window, mask=mask, sizes=each.sizes, stages=each.stages
        )
        while True:
            try:
                now = next(dreaming)
            except StopIteration as end:
                dreamt: DreamResult = end.value
                break
            fraction = (done + now.fraction * each.work) / total
            yield replace(now, fraction=fraction, partial_result=None)
        done += each.work
        if each is not passes[-1]:
            yield QuickLook(done / total, dreamt)
    return dreamt


def _passes(
    size: Size, window: Window, recipe: Recipe, reduced: float, minimum: int
) -> list[_Pass]:
    """The rough pass and the finished one, or only the latter if that is as quick."""
    if recipe.is_painted:
        return _painted(size, window, recipe, reduced)
    if recipe.start == "noise":
        steps = [min(recipe.steps, most) for most in (ROUGH_NOISE, FINE_NOISE)]
        areas = float(window.area)
        sizes = None
    else:
        sizes = look_sizes(size, recipe, reduced, minimum)
        samples = recipe.noise_samples if recipe.noise > 0 else 1
        areas = float(sum(window.scale(size, one).area for one in sizes) * samples)
        steps = [min(recipe.steps, max(LEAST_STEPS, int(ROUGH_WORK / areas))), recipe.steps]
    passes = [
        # The total step length is that of the whole dream.
        _Pass(
            replace(recipe, steps=few, step_size=recipe.step_size * recipe.steps / few),
            areas * few,
            sizes,
        )
        for few in steps
    ]
    return passes if passes[1].work >= WORTH * passes[0].work else passes[1:]


def _painted(size: Size, window: Window, recipe: Recipe, reduced: float) -> list[_Pass]:
    """A stage each: the first of the dream's own, as that sets what is seen."""
    longer = max(size)
    first = painting_stages(longer * reduced, recipe)[0].side
    first = min(first, longer * (ENLARGED if reduced > 1 else 1.0))
    rough = min(ROUGH_SIDES[1], max(ROUGH_SIDES[0], ROUGH_PART * first), first)
    # The work of one step, at the finished look's size.
    area = window.scale(size, scaled_size(size, first)).area
    wanted = STEPS * recipe.steps * RATE  # how far the dream's own coefficients may go
    fine = min(FINE_STEPS, max(FINE_STEPS // 2, int(FINE_WORK / max(1, area))))
    passes = []
    for side, steps, climb in ((rough, ROUGH_STEPS, ROUGH_CLIMB), (first, fine, CLIMB)):
        rate = min(climb, wanted) / steps
        stage = PaintingStage(side, steps, 0, steps, rate)
        work = float(window.scale(size, scaled_size(size, side)).area * steps)
        passes.append(_Pass(recipe, work, stages=[stage]))
    return passes
