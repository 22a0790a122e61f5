"""The presets' thumbnails, as the hosts show them: a small dream of the same photo for each.

python -m tests.bench.thumbnails [FOLDER]

Written for the presets whose networks are at hand, into the link's own folder unless told
otherwise. A thumbnail is dreamed larger than it is shown, but not as large as a photo: of that one
would see no more than a grain.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.networks.registry import registry
from dreamlink.recipe.presets import PRESETS, THUMBNAILS
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks

PHOTO = "peaks.jpg"
PART = (70, 40, 354, 324)  # px of the photo: left, top, right, bottom
SHOWN = 96  # px
QUALITY = 85  # of JPEG
SEED = 7


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else THUMBNAILS
    folder.mkdir(parents=True, exist_ok=True)
    left, top, right, bottom = PART
    source = looks.photo(PHOTO)[..., top:bottom, left:right].contiguous()
    for preset in PRESETS.values():
        if not registry.ready(registry.find(preset.recipe().model)):
            continue
        recipe = Recipe.of({**preset.values, "seed": SEED})
        dream = looks.run_dream(source, network_for(recipe), recipe)
        picture = looks.blended(looks.overlay(source, dream, recipe), source, recipe)
        pixels = (picture[0] * 255).round().byte().permute(1, 2, 0).numpy()
        small = Image.fromarray(pixels).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
        small.save(folder / f"{preset.name}.jpg", quality=QUALITY, optimize=True)
        print(preset.name, flush=True)


if __name__ == "__main__":
    main()
