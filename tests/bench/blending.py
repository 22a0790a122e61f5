"""How long it takes to lay a finished dream over its picture again, for each live parameter.

python -m tests.bench.blending [MEGAPIXELS]
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from dreamlayer.overlay import Overlay
from dreamlink.picture import Edges, Picture
from dreamlink.recipe import Recipe

RECIPES: dict[str, dict[str, object]] = {
    "full": {},
    "capped": {"colour": "capped"},
    "luminance": {"colour": "luminance"},
    "source": {"colour": "source"},
    "full, hard clip": {"soft_clip": False},
    "full, dither": {"dither": True},
    "full, zero_mean": {"zero_mean": True},
    "full, feather 40": {"feather": 40.0},
    "source, dither, zero_mean, feather 40": {
        "colour": "source", "dither": True, "zero_mean": True, "feather": 40.0
    },
}  # fmt: skip


def overlay(megapixels: float) -> Overlay:
    width = round((megapixels * 1e6 * 1.5) ** 0.5)
    layout = Picture(width, round(megapixels * 1e6 / width), "U8", "RGBA")
    random = np.random.default_rng(1)
    source = random.integers(0, 256, (layout.height, layout.width, 4), np.uint8)
    generator = torch.Generator().manual_seed(1)
    detail = torch.randn(1, 3, layout.height, layout.width, generator=generator) * 0.1
    edges = Edges(False, False, False, False)
    return Overlay(source, layout, detail, False, Recipe(seed=7), None, False, edges)


def main() -> None:
    megapixels = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    laid = overlay(megapixels)
    print(f"{megapixels:g} megapixels RGBA U8, {os.cpu_count()} cores, of 15: median, best")
    for name, values in RECIPES.items():
        recipe, times = Recipe.of({"seed": 7, **values}), []
        for _ in range(15):
            began = time.perf_counter()
            laid.blend(recipe)
            times.append((time.perf_counter() - began) * 1000)
        print(f"{name:40} {sorted(times)[7]:6.1f} ms {min(times):6.1f} ms")


if __name__ == "__main__":
    main()
