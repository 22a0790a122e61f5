"""A complete dream: its starting picture, its octave sizes and the octave loop over them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dreamlayer.engine.ascent.balance import balanced
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.planes import (
    ComputedPlane,
    InsetPlane,
    Plane,
    PlaneAllocator,
    PlaneWindow,
    StoredPlane,
    TensorOrPlane,
    allocate_in_memory,
    as_plane,
    as_stored_plane,
    clip,
    copy,
)
from dreamlayer.engine.imagine.imagine import imagine
from dreamlayer.engine.objectives.binding import bind_recipe
from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.octave_loop import (
    CARRY_EXPONENT,
    MOVED_EXPONENT,
    DreamResult,
    OctaveLoop,
    OctaveProgress,
    picture_reader,
)
from dreamlayer.engine.painting.painting import Painting
from dreamlayer.engine.painting.stages import PaintingStage, painting_sizes, painting_stages
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

IMAGINED_SIDE = (
    512  # px; longest side of a picture imagined from noise, which finer octaves then continue
)
FROM_NOISE = (
    "A dream map needs a picture to dream on: set “start” to picture, or remove the map's colours."
)
IMAGINING_SHARE = 0.5  # share of the work that imagining takes


class PictureTooSmall(ValueError):
    """The picture is too small for even one cell of the layer."""


def dream(
    source: TensorOrPlane,
    network: Network,
    recipe: Recipe,
    window: Window,
    *,
    mask: Tensor | None = None,
    guide: Tensor | None = None,
    sizes: Sequence[tuple[int, int]] | None = None,
    stages: Sequence[PaintingStage] | None = None,
    allocator: PlaneAllocator = allocate_in_memory,
    previous_detail: Plane | None = None,
    carry: float = 0.0,
    known: Plane | None = None,
    shares: ShareMap | None = None,
) -> Generator[OctaveProgress, None, DreamResult]:
    """Dream into a picture.

    Args:
        source: (1, 3, H, W), R, G, B in 0..1, sRGB-encoded, on the network's device or in the
            computer's memory. There all planes are; a card gets their tiles.
        network: ends at the layers of the recipe (`binding.network_for`).
        recipe: with a seed; the same seed on the same device gives the same detail.
        window: the part to dream in; the network sees its surroundings, which do not change.
        mask: (1, 1, h, w) of the window, as bytes or as floats in 0..1. Nothing is dreamed where it
            is 0, and the step length is measured where it is not 0.
        guide: (1, 3, h, w), R, G, B in 0..1, for expressions that need one.
        sizes: (h, w) of the whole picture in each octave, coarse to fine; None: the recipe's.
        stages: of a painted dream, coarse to fine; None: the recipe's.
        allocator: allocates the planes that are as large as the picture.
        previous_detail: (1, 3, h, w) of the window, the detail of another dream in picture units,
            for example of a film's previous frame.
        carry: share of `previous_detail` that this dream starts from, 0..1. The larger it is, the
            shorter are the steps.
        known: (1, 1, h, w) of the window, in 0..1: `previous_detail` has been moved along with the
            picture, and here it is 0 where nothing is known of it. Then it is carried into every
            octave, and into the result; steps of pixels only.
        shares: where the window belongs to which of the colours that the recipe binds.

    Yields:
        OctaveProgress after every tile; closing the generator there stops the dream.

    Memory: the dreamed picture and one step's gradient, at 16 bits a sample each (small pictures:
    as floats), and the working memory of tiles and strips.

    Raises:
        PictureTooSmall, ValueError: with a sentence for the user.
    """
    source = as_plane(source)
    size = (source.shape[-2], source.shape[-1])
    _check_size(size, network)
    if network.device.type != "cpu":
        network.make_room()
    random = torch.Generator().manual_seed(recipe.seed)
    objective = bind_recipe(recipe, network, guide, shares)
    weights = None if mask is None else as_stored_plane(mask)
    nan_guard = NanGuard()
    if isinstance(objective, RegionalObjective):
        coarsest = (sizes or dream_sizes(size, recipe, network.minimum))[0]
        objective = balanced(objective, source, network, window, coarsest, recipe.tile, nan_guard)
    if recipe.is_painted:
        loop = OctaveLoop(
            source, network, recipe, window, weights, objective, random, allocator, nan_guard
        )
        painting = Painting(loop, previous_detail, carry)
        return (yield from painting.run(stages or painting_stages(max(size), recipe)))
    sizes = sizes or dream_sizes(size, recipe, network.minimum)
    if recipe.start == "picture":
        start = None
        if previous_detail is not None:
            start = ComputedPlane(lambda detail: detail * carry, (previous_detail,))
            exponent = CARRY_EXPONENT if known is None else MOVED_EXPONENT
            recipe = replace(recipe, step_size=recipe.step_size * (1 - carry) ** exponent)
        loop = OctaveLoop(
            source, network, recipe, window, weights, objective, random, allocator, nan_guard,
            start_detail=start, start_moved=known is not None,
        )  # fmt: skip
        dreamt = yield from loop.run(sizes, 0.0)
        if start is not None and known is not None:
            _settle(dreamt.detail_plane, start, known, carry, weights)
        return dreamt

    if isinstance(objective, RegionalObjective):
        raise ValueError(FROM_NOISE)
    picture = yield from _imagine_window(
        source, network, recipe, window, objective, random, nan_guard
    )
    factor = _imagined_factor(window)
    larger = [s for s in sizes if s[0] > size[0] * factor]
    loop = OctaveLoop(
        picture, network, recipe, window, weights, objective, random, allocator, nan_guard,
        PlaneWindow(picture, window),
    )  # fmt: skip
    return (yield from loop.run(larger, IMAGINING_SHARE))


def dream_sizes(size: tuple[int, int], recipe: Recipe, minimum: int) -> list[tuple[int, int]]:
    """The sizes (h, w) at which a picture (h, w) is dreamed on, coarse to fine.

    `minimum`: px, the network's smallest side.
    """
    if recipe.is_painted:
        return painting_sizes(size, recipe)
    return resize.octave_sizes(
        *size, recipe.octaves, recipe.octave_scale, minimum, recipe.supersample
    )


def _settle(
    detail: StoredPlane, start: Plane, known: Plane, carry: float, mask: StoredPlane | None
) -> None:
    """Mix the share `carry` of what the frame before dreamed into a frame's detail, in place.

    A network answers a little differently where its grid lies differently over a thing that has
    moved. The mean over frames has less of that; without it a film that moves flickers 1.3 times
    as much as one that doesn't.

    Args:
        start: `carry` times the detail of the frame before, moved; 0 where `known` is.
    """

    def mixed(detail: Tensor, start: Tensor, known: Tensor, *masks: Tensor) -> Tensor:
        for one in masks:
            start = start * (one > 0)
        return detail * (1 - carry * known) + start

    masks = () if mask is None else (mask,)
    copy(ComputedPlane(mixed, (detail, start, known, *masks)), detail)


def _imagine_window(
    source: Plane,
    network: Network,
    recipe: Recipe,
    window: Window,
    objective: Objective,
    random: torch.Generator,
    nan_guard: NanGuard,
) -> Generator[OctaveProgress, None, Plane]:
    """The source, its window replaced by what the network imagines from noise."""
    factor = _imagined_factor(window)
    size = tuple(max(network.minimum, round(length * factor)) for length in window.size)
    imagining = imagine((size[0], size[1]), network, objective, recipe, random, nan_guard)
    try:
        while True:
            fraction = next(imagining)
            yield OctaveProgress(
                fraction * IMAGINING_SHARE, 0, 0, 0, 0, picture_reader(source, window)
            )
    except StopIteration as done:
        imagined: Tensor = done.value
    imagined = imagined.to(source.device, source.dtype)
    inner = resize.resize_plane(as_plane(imagined), window.size, recipe.wrap)
    return InsetPlane(source, window, clip(inner))


def _imagined_factor(window: Window) -> float:
    return min(1.0, IMAGINED_SIDE / max(window.size))


def _check_size(size: tuple[int, int], network: Network) -> None:
    if min(size) < network.minimum:
        raise PictureTooSmall(
            f"{size[1]} × {size[0]} pixels are too few for {', '.join(network.layers)} of"
            f" {network.name}: {network.minimum} are needed on each side. Choose an earlier layer"
            " or a larger area."
        )
