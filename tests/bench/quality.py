"""The table of gates for every preset on eight pictures, and a sheet of all presets for each.

python -m tests.bench.quality [PRESET …] [-o FOLDER] [--photo FILE …] [--size PX] [--all]
                              [--plain] [--json FILE]

Every preset is dreamed on every picture, or on the first if it begins with noise. The first table
has its figures, the second each preset's worst picture, or the mean of the gates that are meant so;
the third, the preset that reads most like it to a network that did not dream (without presets that
grow one thing, as most of their picture is as it was, and those that begin with noise). A figure
that misses its gate is in bold.
tests/engine/gates.py defines what is measured. With --plain the figures of the plain loop of 2015
(tests/engine/plain.py) stand behind, in brackets: same network, objective, octaves and steps.
FOLDER gets every dream at full size, and one sheet of all presets for each picture. The exit status
is 0 if every gate holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.networks.registry import registry
from dreamlink.recipe.presets import PRESETS
from tests.bench import quality_tables as tables
from tests.bench.quality_tables import Row, recipe_of
from tests.bench.sheet import Sheet
from tests.engine import gates, looks, semantics
from tests.engine.gates import Figures, Scene

# A sky, a landscape, a building, an animal, a still life, a night, an illustration, a sketch.
PHOTOS = (
    "sunset.jpg", "peaks.jpg", "china.jpg", "chelsea.png",
    "coffee.png", "rocket.jpg", "flat.jpg", "sketch.jpg",
)  # fmt: skip
COLUMNS, COLUMN = 4, 400  # of a sheet; px


def measure(
    preset: str, photo: str, source: Tensor, exact: bool, plain: bool
) -> tuple[Row, Tensor]:
    """Dream a preset on a photo, perhaps with the plain loop too; `exact` checks exactness, too."""
    began = time.perf_counter()
    recipe = recipe_of(preset)
    scene = Scene(source, network_for(recipe), recipe)
    ours, picture = gates.judge(scene)
    if exact:
        ours |= gates.judge_exactness(scene)
    compared: Figures = {}
    if plain and recipe.start == "picture":
        compared, _ = gates.judge_plain(scene)
    return Row(preset, photo, ours, compared, time.perf_counter() - began), picture


def write_picture(folder: Path, preset: str, photo: str, picture: Tensor) -> None:
    """A dream (1, 3, H, W) at full size."""
    own = folder / Path(photo).stem
    own.mkdir(parents=True, exist_ok=True)
    pixels = (picture[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(own / f"{preset}.png")


def write_sheets(
    folder: Path, sources: dict[str, Tensor], dreams: dict[str, dict[str, Tensor]]
) -> None:
    """A sheet of each photo's dreams."""
    for photo, source in sources.items():
        sheet = Sheet(COLUMN)
        sheet.put("0", "0", source, photo)
        own = {preset: pictures[photo] for preset, pictures in dreams.items() if photo in pictures}
        for number, (preset, picture) in enumerate(own.items(), start=1):
            row, column = divmod(number, COLUMNS)
            sheet.put(str(row), str(column), picture, preset)
        sheet.save(folder / f"{Path(photo).stem}.jpg")


def likenesses(dreams: dict[str, dict[str, Tensor]]) -> str:
    """The table of presets that look alike, or why there is none."""
    judge = semantics.judge({recipe_of(preset).model for preset in dreams})
    if len(dreams) < 2 or judge is None:
        return "No semantic distances: they need two presets and a network that did not dream."
    features = {
        preset: {photo: semantics.late_features(judge, picture) for photo, picture in own.items()}
        for preset, own in dreams.items()
        if recipe_of(preset).spread != "one" and recipe_of(preset).start != "noise"
    }
    return tables.nearest(tables.distances(features))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.quality")
    parser.add_argument("presets", nargs="*", metavar="PRESET", help="only these")
    parser.add_argument("-o", dest="folder", type=Path, help="write pictures and sheets into it")
    parser.add_argument("--photo", action="append", help="of tests/pictures (repeat)")
    parser.add_argument("--size", type=int, default=480, help="the photos' longer side, in pixels")
    parser.add_argument("--all", action="store_true", help="also over networks that were fetched")
    parser.add_argument("--plain", action="store_true", help="also the plain loop of 2015")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    options = parser.parse_args()
    if unknown := [name for name in options.presets if name not in PRESETS]:
        parser.error(f"there is no preset {unknown[0]!r}; see: dreamlayer presets.")
    return options


def _presets(options: argparse.Namespace) -> list[str]:
    def chosen(name: str) -> bool:
        spec = registry.find(recipe_of(name).model)
        return registry.ready(spec) and (options.all or spec.weights == registry.EMBEDDED)

    return options.presets or [name for name in PRESETS if chosen(name)]


def main() -> None:
    options = _options()
    presets, photos = _presets(options), options.photo or list(PHOTOS)
    sources = {photo: looks.photo(photo, options.size) for photo in photos}
    rows: list[Row] = []
    dreams: dict[str, dict[str, Tensor]] = {preset: {} for preset in presets}
    for number, preset in enumerate(presets):
        own = photos[:1] if recipe_of(preset).start == "noise" else photos
        for photo in own:
            # One photo tells whether tiles are exact; another for every preset.
            exact = photo == own[number % len(own)]
            source = sources[photo]
            row, dreams[preset][photo] = measure(preset, photo, source, exact, options.plain)
            if options.folder:
                write_picture(options.folder, preset, photo, dreams[preset][photo])
            missed = ", ".join(row.misses()) or "–"
            print(f"{preset}, {photo}: {row.seconds:.0f} s, misses {missed}", file=sys.stderr)
            rows.append(row)
    shown = f"{tables.summary(rows)}\n\n{likenesses(dreams)}"
    print(f"{tables.details(rows)}\n\n{shown}")
    if options.folder:
        write_sheets(options.folder, sources, dreams)
    if options.json:
        records = [row._asdict() | {"misses": row.misses()} for row in rows]
        options.json.write_text(json.dumps({"torch": torch.__version__, "rows": records}, indent=1))
    sys.exit(1 if "**" in shown else 0)


if __name__ == "__main__":
    main()
