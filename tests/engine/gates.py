"""Quality gates: which figures of a dream are measured, and the ranges they must lie in.

`judge` measures a dream on a photo, `judge_plain` the plain loop of 2015 on the same photo,
`judge_exactness` the figures that must hold for any recipe. Figures that do not apply to a recipe
are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from statistics import mean, median

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.metrics import GainMeter
from dreamlayer.engine.objectives.binding import bind
from dreamlayer.engine.objectives.kind_terms import KindTerm
from dreamlayer.engine.objectives.terms import MapLocation
from dreamlayer.engine.octave_loop import DreamResult
from dreamlayer.geometry import Window
from dreamlayer.networks.kinds import kinds
from dreamlayer.networks.network import Network
from dreamlayer.networks.registry import registry
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks, speckle
from tests.engine.plain import TILE, plain_dream

INFINITE = float("inf")
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
PART = 0.6  # of each side: the part of a photo that is also dreamed on its own
ONE_TILE = 1 << 20  # px
SMALL_TILE = 80  # px
AWAKE = 0.01  # of the mean activation; channels below it in the source have no gain
# Networks whose maps have no ReLU: cells are far from zero on every photo, so the mean of squares
# grows less where as much is seen. Dreams that fill a picture with animals have 1.5 to 3.1. Their
# early blocks answer to lines and edges, of which a sketch has plenty before the dream.
SIGNED = ("efficientnet-lite0", "efficientnet-lite2", "mobilenet_v2")
EARLY = 8  # the first block that answers to more than lines, corners and patterns
Figures = dict[str, float]


@dataclass(frozen=True)
class Gate:
    """The range that a figure must lie in: on each photo, or its mean over them."""

    low: float = -INFINITE
    high: float = INFINITE
    mean: bool = False

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        if self.high == INFINITE:
            return f"≥ {self.low:g}"
        return f"≤ {self.high:g}" if self.low == -INFINITE else f"{self.low:g}–{self.high:g}"


GATES: dict[str, Gate] = {
    # The gain of the recipe's objective, averaged over 16 shifts of the grid.
    "gain": Gate(2.0),
    # A dream of ten steps a size has seen ten of the grid's phases: 0.83 to 0.95. Without roll it
    # has seen one, and is 0.6 to 0.83 at the others.
    "least / mean gain": Gate(0.75),
    # Of one channel or kind of things: its gain over the median gain of the others. On a cat's face
    # the gain of all animals rises with that of dogs.
    "channel / others": Gate(2.0),
    "channel / others, mean": Gate(3.0, mean=True),
    "kind / others": Gate(2.0),
    "kind / others, mean": Gate(3.0, mean=True),
    "fine": Gate(0.8, 1.5),  # energy above 0.25 cycles a pixel, result / source
    "lattice": Gate(high=1.07),  # 1.02 to 1.06 with roll, from 1.08 without
    # The border of a part of the photo, dreamed on its own, over the same pixels in the whole. A
    # single photo says little: an object cut by the edge meets its reflection, and may become a
    # face. The mean hardly depends on the seed; without an apron it is 0.72 to 0.8.
    "edges": Gate(0.8, 1.3, mean=True),
    "chroma": Gate(high=1.3),
    # Coloured speckle: without `calm_colours` 1.3 to 3.3 on single photos.
    "fine chroma": Gate(high=1.6),
    "fine chroma, mean": Gate(high=1.3, mean=True),
    "luma": Gate(high=0.015),  # change of the mean luma
    "clipped": Gate(high=0.02),  # increase of the share of clipped pixels
    # Below, the photo is lost; above, there is hardly a dream. A pencil sketch is mostly paper,
    # which early blocks leave alone: there it is up to 0.93.
    "SSIM": Gate(0.5, 0.95),
    "SSIM falls by": Gate(1e-6),  # at least, from one strength to the next
    "probability": Gate(0.95),  # of a class imagined from noise, at unseen shifts and scales
    "twice the steps": Gate(1.0),  # gain of all the steps / gain of half of them
    "seams": Gate(0.95, 1.05),  # steps across tile borders, relative to the untiled dream
    "tiled, dB": Gate(60.0),  # tiled against untiled
    "again, dB": Gate(INFINITE),  # the same seed twice
    "outside": Gate(0.0, 0.0),  # the largest change outside a selection, in any depth
}


def misses(figures: Figures, limits: dict[str, Gate]) -> Figures:
    """The figures of one photo that miss their gates; gates of the mean are left out."""
    return {
        name: value
        for name, value in figures.items()
        if not limits[name].mean and not limits[name].holds(value)
    }


def gates_of(recipe: Recipe) -> dict[str, Gate]:
    """The gates that apply to a recipe."""
    found = dict(GATES)
    if recipe.colour in ("luminance", "source"):
        found["chroma"] = Gate(high=1.05)
    if recipe.model in SIGNED:
        found["gain"] = Gate(1.5 if _block(recipe) >= EARLY else 1.15)
    if recipe.is_painted:  # fur and plumage in a smooth sky are fine detail, but no speckle
        found["fine"] = Gate(0.75, 2.4)
    if all(weight < 0 or target.kind == "cosine" for weight, target in recipe.expression().terms):
        found["gain"] = Gate(1.5)  # its maximum is 2
    return found


def _block(recipe: Recipe) -> int:
    """The earliest block that a recipe dreams on, in networks that number theirs."""
    return min(int(layer) for layer in recipe.expression().layers)


@dataclass(frozen=True)
class Scene:
    """A photo (1, 3, H, W), and the dream to measure on it."""

    source: Tensor
    network: Network
    recipe: Recipe
    guide: Tensor | None = None

    @property
    def part(self) -> Window:
        return looks.middle_window(self.source.shape[-2:], PART)

    @property
    def crop(self) -> Tensor:
        return looks.crop(self.source, self.part)

    def finished(self, source: Tensor, **changes: object) -> DreamResult:
        more = {} if self.guide is None else {"guide": self.guide}
        return looks.run_dream(source, self.network, replace(self.recipe, **changes), **more)

    def result(self, source: Tensor, dream: DreamResult) -> Tensor:
        return looks.blended(looks.overlay(source, dream, self.recipe), source, self.recipe)

    def meter(self, source: Tensor) -> GainMeter:
        window = Window.whole(*source.shape[-2:])
        return GainMeter(source, self.network, self.recipe, window, self.guide)

    @cached_property
    def whole_meter(self) -> GainMeter:
        return self.meter(self.source)


def judge(scene: Scene) -> tuple[Figures, Tensor]:
    """The figures of a dream on a photo, and the resulting picture (1, 3, H, W)."""
    source, recipe = scene.source, scene.recipe
    dream = scene.finished(source)
    over = looks.overlay(source, dream, recipe)
    result = looks.blended(over, source, recipe)
    similar = [
        looks.ssim(source, looks.blended(over, source, replace(recipe, strength=strength)))
        for strength in STRENGTHS
    ]
    unchanged = similar[0] > 1 - 1e-9
    fall = min(a - b for a, b in pairwise(similar))
    found = _of_activations(scene, result) | {"SSIM falls by": fall if unchanged else -1.0}
    if dream.base is not None:  # nothing of the photo is left to compare with
        return found | {"clipped": looks.clipped(result)}, result
    alone = scene.finished(scene.crop).detail
    within = looks.crop(dream.detail, scene.part)
    return found | _of_looks(scene, result) | {
        "lattice": looks.lattice_index(dream.detail, scene.network.stride),
        "edges": looks.edge_index(alone, within),
    }, result


def judge_plain(scene: Scene) -> tuple[Figures, Tensor]:
    """The same figures of the plain loop with the recipe's network, objective and steps."""
    source, crop = scene.source, scene.crop
    objective = bind(scene.recipe.expression(), scene.network, scene.guide)

    def detail(picture: Tensor, tile: int) -> Tensor:
        return plain_dream(picture, scene.network, objective, scene.recipe, tile) - picture

    untiled, tiled = detail(crop, ONE_TILE), detail(crop, SMALL_TILE)
    borders = [range(SMALL_TILE, side, SMALL_TILE) for side in crop.shape[-2:]]
    dreamt = detail(source, TILE)
    result = source + dreamt
    return _of_activations(scene, result) | _of_looks(scene, result) | {
        "lattice": looks.lattice_index(dreamt, scene.network.stride),
        "edges": looks.edge_index(untiled, looks.crop(dreamt, scene.part)),
        "seams": looks.seam_index(tiled, *borders) / looks.seam_index(untiled, *borders),
        "tiled, dB": looks.decibels(tiled, untiled),
    }, result


def judge_exactness(scene: Scene) -> Figures:
    """The figures that must hold for any recipe, on a part of the photo."""
    crop = scene.crop
    first = scene.finished(crop)
    half = scene.finished(crop, steps=max(1, scene.recipe.steps // 2))
    meter = scene.meter(crop)
    gains = [mean(meter.gains(scene.result(crop, dream))) for dream in (half, first)]
    found = {
        "twice the steps": gains[1] / gains[0],
        "again, dB": looks.decibels(_dreamt(scene.finished(crop)), _dreamt(first)),
        "outside": looks.change_outside(crop, first, scene.recipe),
    }
    if scene.network.local and first.detail.any():  # one tile holds a whole small imagined picture
        tiled = scene.finished(crop, tile=SMALL_TILE).detail
        window = Window.whole(*crop.shape[-2:])
        borders = [[block.start for block in s.split(SMALL_TILE)[1:]] for s in window]
        seams = [looks.seam_index(detail, *borders) for detail in (tiled, first.detail)]
        found["seams"] = seams[0] / seams[1]
        found["tiled, dB"] = looks.decibels(tiled, first.detail)
    return found


def _dreamt(dream: DreamResult) -> Tensor:
    return dream.detail if dream.base is None else dream.base + dream.detail


def _of_activations(scene: Scene, result: Tensor) -> Figures:
    gains = scene.whole_meter.gains(result)
    found = {"gain": mean(gains), "least / mean gain": min(gains) / mean(gains)} if gains else {}
    if len(targets := scene.recipe.expression().terms) == 1:
        kind = targets[0][1].kind
        if kind == "channels":
            own = _specificity(scene, result, targets[0][1].channels)
            found |= {"channel / others": own, "channel / others, mean": own}
        if kind == "kind":
            own = _kind_specificity(scene, result, targets[0][1].label)
            found |= {"kind / others": own, "kind / others, mean": own}
        if kind == "class" and scene.recipe.start == "noise":
            found["probability"] = _probability(scene, result, targets[0][1].label)
    return found


def _of_looks(scene: Scene, result: Tensor) -> Figures:
    source = scene.source
    fine = speckle.fine_chroma_ratio(source, result)
    return {
        "fine": looks.high_frequencies(result) / looks.high_frequencies(source),
        "chroma": looks.chroma_ratio(source, result),
        "fine chroma": fine,
        "fine chroma, mean": fine,
        "luma": speckle.luma_change(source, result),
        "clipped": looks.clipped(result) - looks.clipped(source),
        "SSIM": looks.ssim(source, result),
    }


def _specificity(scene: Scene, result: Tensor, channels: tuple[int, ...]) -> float:
    """The gain of some channels over the median gain of the others, over four shifts."""
    before, after = (
        sum(_means(scene.network, picture, shift) for shift in (0, 3, 6, 9))
        for picture in (scene.source, result)
    )
    others = before > AWAKE * before.mean()
    others[list(channels)] = False
    own = after[list(channels)].sum() / before[list(channels)].sum().clamp(min=1e-9)
    return float(own / median((after / before)[others].tolist()))


def _kind_specificity(scene: Scene, result: Tensor, label: str) -> float:
    """The gain of a kind over the median gain of the other kinds, over four shifts."""
    model = scene.network.name
    gains = {}
    for name in kinds.names(model):
        found = kinds.find(model, name)
        values = (torch.tensor(each) for each in (found.channels, found.means, found.spreads))
        term = KindTerm(*values, None)
        gains[name] = _energy(scene.network, result, term) / _energy(
            scene.network, scene.source, term
        )
    own = gains.pop(label)
    return own / median(gains.values())


def _energy(network: Network, picture: Tensor, term: KindTerm) -> float:
    whole = Window.whole(1, 1)  # which a sum over cells does not ask for
    location = MapLocation(whole, whole, lambda _x, _y: (0, 0))
    with torch.inference_mode():
        cells = [network(picture[..., shift:, shift:])[0] for shift in (0, 3, 6, 9)]
        return sum(float(term.value(each, location)) for each in cells)


def _means(network: Network, picture: Tensor, shift: int) -> Tensor:
    with torch.inference_mode():
        return network(picture[..., shift:, shift:])[0].abs().mean(dim=(0, 2, 3))


def _probability(scene: Scene, result: Tensor, label: str) -> float:
    """The least probability of the class under shifts and scales that were not dreamed at."""
    found, number = [], registry.class_number(scene.network.name, label)
    for shift, scale in ((5, 0.93), (11, 1.07), (17, 0.87)):
        part = result[..., shift:, shift:]
        size = [round(side * scale) for side in part.shape[-2:]]
        with torch.inference_mode():
            (cells,) = scene.network(resize.resize(part, (size[0], size[1])).clamp(0, 1))
            found.append(float(scene.network.logits(cells).softmax(dim=1)[0, number]))
    return min(found)
