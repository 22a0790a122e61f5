"""Dream maps: what each region gains, what its neighbours' objectives gain there, borders, cost.

python -m tests.bench.maps [-o FOLDER] [--photo NAME …]

Four quarters of each photo, each with an objective of its own. "own" is the least gain of the
regions' own objectives, "own / others" its least ratio to the gain of any other region's objective
there; both are compared with the same objective dreamed over the whole photo ("plain"). "border" is
the detail's mean step across the regions' borders over that beside them, relative to the plain
dreams at the same places; "cost" the processor time of a dream over that of one of the four
everywhere. "by chance" is how far the border's figure goes where there is none, one standard
deviation over lines of the plain dreams. With -o the pictures are written.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamlayer.engine.metrics import grid_canvases
from dreamlayer.engine.objectives.binding import bind, network_for
from dreamlayer.engine.objectives.levels import unit_of
from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.tiling.receptive_layout import ReceptiveLayout
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlayer.studio.dream_map import DreamMap, read_dream_map
from dreamlayer.studio.source import SourceImage
from dreamlink.picture import Picture
from dreamlink.recipe.bindings import colour_text
from dreamlink.recipe.recipe import Recipe, Value
from tests.engine import looks

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
PHOTOS = ("raccoon.jpg", "coffee.png", "china.jpg")
SIDE = 480  # px
BESIDE = range(3, 15)  # px from a border
ELSEWHERE = [sign * away for sign in (-1, 1) for away in range(30, 101, 10)]  # px from the borders
LEAST = 0.01  # a gain that counts for the ratio; one that fell may be negative
ROUNDS = 3  # of which the fastest counts
FIGURES = (
    "own", "own, plain", "own / others", "own / others, plain", "border", "by chance", "cost",
)  # fmt: skip
DREAMS: dict[str, tuple[dict[str, Value], tuple[str, ...]]] = {
    "squeezenet1_1, steps": ({}, ("10:30", "kind:dogs", "kind:towers", "10:115")),
    "squeezenet1_1, painted": (
        {"method": "painted"}, ("10:30", "kind:dogs", "kind:towers", "10:115"),
    ),
    "efficientnet-lite0, steps": (
        {"model": "efficientnet-lite0"}, ("10:77", "11:40", "10:12", "13:5"),
    ),
    "efficientnet-lite0, painted": (
        {"model": "efficientnet-lite0", "method": "painted"}, ("10:77", "11:40", "10:12", "13:5"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class MapScene:
    """A photo in four quarters, and the recipe that binds them."""

    source: Tensor
    recipe: Recipe
    network: Network
    dream_map: DreamMap

    @classmethod
    def of(cls, photo: str, values: dict[str, Value], texts: Sequence[str]) -> MapScene:
        source = looks.photo(photo, SIDE)
        height, width = source.shape[-2:]
        pairs = zip(COLOURS, texts, strict=True)
        bound = "; ".join(f"{colour_text(colour)}={text}" for colour, text in pairs)
        recipe = Recipe.of({**values, "bind": bound, "seed": 7})
        colours = np.zeros((height, width, 3), np.uint8)
        for number, (down, right) in enumerate(product((0, 1), repeat=2)):
            rows = slice(down * height // 2, (down + 1) * height // 2)
            columns = slice(right * width // 2, (right + 1) * width // 2)
            colours[rows, columns] = COLOURS[number]
        image = SourceImage(colours, Picture(width, height, "U8", "RGB"))
        found = read_dream_map(image, recipe.bindings(), (height, width), False)
        return cls(source, recipe, network_for(recipe), found)

    def detail(self) -> Tensor:
        return looks.dream_detail(
            self.source, self.network, self.recipe, shares=self.dream_map.shares
        )

    def plain(self, number: int) -> Tensor:
        """The detail of one region's objective everywhere."""
        return looks.dream_detail(self.source, self.network, self.alone(number))

    def alone(self, number: int) -> Recipe:
        text = self.recipe.bindings()[number].expression.text
        return replace(self.recipe, bind="", layer=text)

    @cached_property
    def gains(self) -> RegionGains:
        return RegionGains(self)


class RegionGains:
    """The gain of each region's objective in each region, as `GainMeter` measures one of them.

    All from one pass of the network over each of the shifts: sixteen meters would take sixteen.
    """

    def __init__(self, scene: MapScene) -> None:
        self._scene = scene
        expressions = [binding.expression for binding in scene.recipe.bindings()]
        self._objectives = [bind(one, scene.network, None, "one") for one in expressions]
        self._before = self._values(scene.source, self._objectives)
        self._units = self._values(scene.source, [unit_of(one) for one in self._objectives])

    def of(self, detail: Tensor) -> Tensor:
        """Gains [region, objective]."""
        seen = ((self._scene.source + detail).clamp(0, 1) * 255).round() / 255
        return 1 + (self._values(seen, self._objectives) - self._before) / self._units

    @torch.no_grad()
    def _values(self, picture: Tensor, wanted: Sequence[Objective]) -> Tensor:
        """Values [region, objective], the mean over the shifts."""
        scene, count = self._scene, len(COLOURS)
        window = Window.whole(*picture.shape[-2:])
        total = torch.zeros(count, len(wanted), dtype=torch.float64)
        canvases = grid_canvases(picture, scene.network, scene.recipe)
        for canvas in canvases:
            layout = ReceptiveLayout(scene.network, canvas, window)
            maps = scene.network(canvas.take(picture, Window.whole(*canvas.size)))
            cells = {k: maps[k][counted.slices()] for k, counted in enumerate(layout.counted)}
            places = {k: layout.location(k, counted) for k, counted in enumerate(layout.counted)}
            for region, number in product(range(count), range(len(wanted))):
                shares = scene.dream_map.painted.alone(region)
                there = RegionalObjective.of([wanted[number]], shares, scene.network.scales)
                total[region, number] += float(there.value(cells, places))
        return total / len(canvases)


def measure(scene: MapScene, detail: Tensor) -> dict[str, float]:
    """The figures of a dream with a map."""
    regions = range(len(COLOURS))
    plain = [scene.plain(region) for region in regions]
    alone = torch.stack([scene.gains.of(plain[region])[region] for region in regions])
    mapped = scene.gains.of(detail)
    return {
        "own": float(mapped.diagonal().min()),
        "own, plain": float(alone.diagonal().min()),
        "own / others": least_ratio(mapped),
        "own / others, plain": least_ratio(alone),
        "border": border(detail) / mean(map(border, plain)),
        "by chance": stdev(
            border(one, away) / mean(border(each, away) for each in plain)
            for one in plain
            for away in ELSEWHERE
        ),
    }


def least_ratio(gains: Tensor) -> float:
    """The least ratio of a region's own gain to the largest other, of gains [region, objective]."""
    own = gains.diagonal()
    others = gains.masked_fill(torch.eye(len(gains), dtype=torch.bool), -torch.inf)
    return float((own / others.amax(dim=1).clamp_min(LEAST)).min())


def border(detail: Tensor, away: int = 0) -> float:
    """The mean step across the two borders in the middle, over that beside them.

    `away`: px, of two other lines instead.
    """
    ratios = []
    for axis in (-2, -1):
        steps = detail.double().diff(dim=axis).abs().movedim(axis, 0).flatten(1).mean(dim=1)
        middle = detail.shape[axis] // 2 + away
        beside = [steps[middle - 1 + sign * far] for sign in (-1, 1) for far in BESIDE]
        ratios.append(float(steps[middle - 1] / torch.stack(beside).mean()))
    return mean(ratios)


def cost(scene: MapScene) -> float:
    """Processor time of the dream with the map over that without, on the same network."""
    plain = replace(scene.recipe, bind="", layer=scene.recipe.bindings()[0].expression.text)
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        began = time.process_time()
        looks.dream_detail(scene.source, scene.network, plain)
        times[0].append(time.process_time() - began)
        began = time.process_time()
        scene.detail()
        times[1].append(time.process_time() - began)
    return min(times[1]) / min(times[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="write the pictures")
    parser.add_argument("--photo", nargs="*", default=PHOTOS, metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| dream | photo | {' | '.join(FIGURES)} |\n|{'---|' * (len(FIGURES) + 2)}")
    for name, (values, texts) in DREAMS.items():
        rows = []
        for photo in arguments.photo:
            scene = MapScene.of(photo, values, texts)
            detail = scene.detail()
            rows.append(measure(scene, detail))
            _print(name, photo, rows[-1])
            if arguments.output:
                arguments.output.mkdir(parents=True, exist_ok=True)
                stem = f"{name.replace(', ', '-')}-{Path(photo).stem}"
                _write(scene.source + detail, arguments.output / f"{stem}.png")
        means = {key: mean(row[key] for row in rows) for key in rows[0]}
        _print(name, "mean", {**means, "cost": cost(scene)})


def _print(name: str, photo: str, figures: dict[str, float]) -> None:
    cells = (f"{figures[each]:.2f}" if each in figures else "" for each in FIGURES)
    print(f"| {name} | {photo} | {' | '.join(cells)} |", flush=True)


def _write(picture: Tensor, path: Path) -> None:
    values = (picture.clamp(0, 1)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(values).save(path)


if __name__ == "__main__":
    main()
