"""The measures of ENGINE.md for a recipe, on each of the test pictures, as a table.

python -m tests.bench.measures [PARAMETER=VALUE …]
"""

from __future__ import annotations

import sys
import time

from dreamlayer.engine import measures
from dreamlayer.engine.tiles import whole
from dreamlayer.models.network import cut
from dreamlink.recipe import PARAMETERS, Recipe
from tests.engine import looks

NAMES = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg")


def row(name: str, recipe: Recipe) -> dict[str, float]:
    network, source = cut(recipe.model, recipe.layer), looks.photo(name)
    began = time.perf_counter()
    detail = looks.dreamt(source, network, recipe)
    seconds = time.perf_counter() - began
    result = (source + detail).clamp(0, 1)
    window = whole(*source.shape[-2:])
    return {
        "activation gain, mean over 16 shifts": measures.gain(
            source, result, network, recipe, window
        )
        or 0.0,
        "high frequencies, result / source": looks.high_frequencies(result)
        / looks.high_frequencies(source),
        "chroma, result / source": looks.chroma(result) / looks.chroma(source),
        "clipped samples, added": looks.clipped(result) - looks.clipped(source),
        "lattice index": looks.lattice_index(detail, network.stride),
        "border index": looks.border_index(detail),
        "SSIM to the source": looks.ssim(source, result),
        "seconds": seconds,
    }


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    values = {name: PARAMETERS[name].parse(text) for name, text in given.items()}
    recipe = Recipe.of({"seed": 7, **values})
    rows = [row(name, recipe) for name in NAMES]
    print("| | " + " | ".join(name.partition(".")[0] for name in NAMES) + " |")
    print("|---" * (len(NAMES) + 1) + "|")
    for measure in rows[0]:
        print(f"| {measure} | " + " | ".join(f"{r[measure]:.2f}" for r in rows) + " |")


if __name__ == "__main__":
    main()
