"""A contact sheet, on one photo, of the presets that need no download.

python -m tests.bench.presets SHEET.jpg [PHOTO [SIDE]]
"""

from __future__ import annotations

import sys
from pathlib import Path

from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.networks.registry import registry
from dreamlink.recipe.presets import PRESETS
from dreamlink.recipe.recipe import Recipe
from tests.bench.sheet import Sheet
from tests.engine import looks

COLUMNS = 5
SEED = 7


def main() -> None:
    path, photo, side = [
        *sys.argv[1:],
        *("presets.jpg", "astronaut.png", "480")[len(sys.argv) - 1 :],
    ]
    source, sheet = looks.photo(photo, int(side)), Sheet()
    presets = [
        p for p in PRESETS.values() if registry.find(p.recipe().model).weights == registry.EMBEDDED
    ]
    sheet.put("0", "0", source, photo)
    for number, preset in enumerate(presets, start=1):
        recipe = Recipe.of({**preset.values, "seed": SEED})
        dream = looks.run_dream(source, network_for(recipe), recipe)
        picture = looks.blended(looks.overlay(source, dream, recipe), source, recipe)
        row, column = divmod(number, COLUMNS)
        sheet.put(str(row), str(column), picture, preset.name)
    sheet.save(Path(path))


if __name__ == "__main__":
    main()
