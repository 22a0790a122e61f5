"""Dream maps: what each region gains, what its neighbours' objectives gain there, borders, cost.

python -m tests.bench.maps [-o FOLDER] [--photo NAME …]

Four quarters of each photo, each with an objective of its own. "own" is the least gain of the
regions' own objectives, "own / others" its least ratio to the gain of any other region's objective
there; both are compared with the same objective dreamed over the whole photo ("plain"). "border" is
the detail's mean step across the regions' borders over that beside them, relative to the plain
dreams at the same places; "cost" the processor time of a dream over that of one of the four
everywhere. With -o the pictures are written.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamlayer.engine.metrics import GainMeter, MeasuredRegion
from dreamlayer.engine.objectives.binding import network_for
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
ROUNDS = 3  # of which the fastest counts
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

    def gains(self, details: Sequence[Tensor], region: int, objective: int) -> list[float]:
        """The gain of one region's objective in another region, or in its own, by each detail."""
        measured = MeasuredRegion(
            self.recipe.bindings()[objective].expression, self.dream_map.painted.alone(region)
        )
        window = Window.whole(*self.source.shape[-2:])
        meter = GainMeter(self.source, self.network, self.recipe, window, None, measured)
        return [mean(meter.gains((self.source + one).clamp(0, 1)) or [0.0]) for one in details]


def measure(scene: MapScene, detail: Tensor) -> dict[str, float]:
    """The figures of a dream with a map."""
    count = len(COLOURS)
    plain = [scene.plain(region) for region in range(count)]
    found: list[list[tuple[float, float]]] = [[], []]  # own, and its ratio to the others' largest
    for region in range(count):
        both = [
            scene.gains([detail, plain[region]], region, objective) for objective in range(count)
        ]
        for number, rows in enumerate(found):
            gains = [pair[number] for pair in both]
            own = gains.pop(region)
            rows.append((own, own / max(gains)))
    return {
        "own": min(own for own, _ in found[0]),
        "own, plain": min(own for own, _ in found[1]),
        "own / others": min(ratio for _, ratio in found[0]),
        "own / others, plain": min(ratio for _, ratio in found[1]),
        "border": border(detail) / mean(map(border, plain)),
    }


def border(detail: Tensor) -> float:
    """The mean step across the two borders in the middle, over that beside them."""
    ratios = []
    for axis in (-2, -1):
        steps = detail.double().diff(dim=axis).abs().movedim(axis, 0).flatten(1).mean(dim=1)
        middle = detail.shape[axis] // 2
        beside = [steps[middle - 1 + sign * away] for sign in (-1, 1) for away in BESIDE]
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
    for name, (values, texts) in DREAMS.items():
        rows = []
        for photo in arguments.photo:
            scene = MapScene.of(photo, values, texts)
            detail = scene.detail()
            rows.append(measure(scene, detail))
            print(name, photo, _text(rows[-1]), flush=True)
            if arguments.output:
                arguments.output.mkdir(parents=True, exist_ok=True)
                stem = f"{name.replace(', ', '-')}-{Path(photo).stem}"
                _write(scene.source + detail, arguments.output / f"{stem}.png")
        means = {key: mean(row[key] for row in rows) for key in rows[0]}
        print(name, "mean", _text({**means, "cost": cost(scene)}), flush=True)


def _text(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in figures.items())


def _write(picture: Tensor, path: Path) -> None:
    values = (picture.clamp(0, 1)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(values).save(path)


if __name__ == "__main__":
    main()
