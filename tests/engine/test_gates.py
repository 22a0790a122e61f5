"""The gates hold for the default and some presets on a photo; tests/bench/quality.py tests all."""

from dataclasses import replace
from statistics import geometric_mean

import pytest

from dreamlayer.engine.objectives.binding import network_for
from dreamlink.recipe.presets import PRESETS
from dreamlink.recipe.recipe import Recipe
from tests.engine import gates, looks
from tests.engine.gates import Scene

DEFAULT = Recipe.of({"seed": 7})
SIZE = 320  # px
pytestmark = pytest.mark.slow


def scene(recipe):
    return Scene(looks.photo("coffee.png", SIZE), network_for(recipe), recipe)


def misses(figures, recipe):
    return gates.misses(figures, gates.gates_of(recipe))


@pytest.mark.parametrize("preset", [None, "feathers", "swirls"])
def test_every_gate_holds(preset):
    recipe = replace(PRESETS[preset].recipe(), seed=7) if preset else DEFAULT
    figures, _ = gates.judge(scene(recipe))
    assert not misses(figures, recipe)
    assert {"gain", "fine", "lattice", "edges", "chroma", "clipped", "SSIM"} <= set(figures)


def test_the_exactness_gates_hold():
    figures = gates.judge_exactness(scene(DEFAULT))
    assert not misses(figures, DEFAULT)
    assert figures["tiled, dB"] == figures["again, dB"] == gates.INFINITE
    assert {"twice the steps", "seams", "outside"} <= set(figures)


def test_edges_dream_as_strongly_as_the_middle():
    """The mean over photos; without the apron it is 0.75."""
    recipe = replace(DEFAULT, octaves=3, steps=6)
    network, found = network_for(recipe), []
    for name in ("chelsea.png", "coffee.png", "rocket.jpg", "raccoon.jpg", "china.jpg"):
        one = Scene(looks.photo(name, 240), network, recipe)
        whole = one.finished(one.source).detail
        alone = one.finished(one.crop).detail
        found.append(looks.edge_index(alone, looks.crop(whole, one.part)))
    assert gates.GATES["edges"].holds(geometric_mean(found))


def test_the_plain_loop_misses_gates():
    """The gates separate the two loops: seams, similarity, clipping."""
    figures, _ = gates.judge_plain(scene(replace(DEFAULT, octaves=3)))
    assert {"tiled, dB", "clipped"} <= set(misses(figures, DEFAULT))


def test_negative_weights_have_a_reachable_gate():
    away = Recipe.of({"layer": "-10"})
    assert gates.gates_of(away)["gain"].low == 1.5
    assert gates.gates_of(DEFAULT)["gain"].low == 2
    assert gates.gates_of(replace(DEFAULT, colour="source"))["chroma"].high == 1.05
