"""A dream that is paused for a quick one gives the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dreamlayer.studio.local import LocalStudio
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest


def drain(steps: Any, studio: LocalStudio | None = None, quick: Any = None) -> tuple[bytes, int]:
    """A dream's pixels and its tiles; behind each of them a whole quick one is dreamed."""
    tiles = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return bytes(end.value.pixels), tiles
        tiles += 1
        if studio is not None:
            drain(studio.dream(*quick))


@pytest.mark.parametrize("layer", ["features.3", "class:castle"])
def test_a_paused_dream_gives_the_same_bytes(layer: str) -> None:
    studio = LocalStudio()
    noise = np.random.default_rng(7)
    long, small = Picture(90, 70, "U8", "RGB"), Picture(40, 40, "U8", "RGB")
    recipe = Recipe(layer=layer, octaves=2, steps=2, tile=64, seed=5)
    look = Recipe(layer="features.5", octaves=1, steps=1, seed=9)
    asked = (DreamRequest(recipe, long, long.region), [noise.bytes(long.nbytes)])
    quick = (DreamRequest(look, small, small.region, quick=True), [noise.bytes(small.nbytes)])
    alone, tiles = drain(studio.dream(*asked))
    paused, paused_tiles = drain(studio.dream(*asked), studio, quick)
    assert tiles == paused_tiles > 4
    assert paused == alone
