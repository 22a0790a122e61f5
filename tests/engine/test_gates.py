"""Measures without taste and their gates (ENGINE.md), at the default recipe."""

from dataclasses import replace

import pytest
import torch

from dreamlayer.engine import measures
from dreamlayer.engine.tiles import whole
from dreamlayer.models.network import cut
from dreamlink.recipe import Recipe
from tests.engine import looks

DEFAULT = Recipe.of({"seed": 7})


@pytest.fixture(scope="module")
def network():
    return cut("squeezenet1_1", "10")


@pytest.fixture(scope="module")
def coffee():
    return looks.photo("coffee.png")


@pytest.fixture(scope="module")
def detail(network, coffee):
    return looks.dreamt(coffee, network, DEFAULT)


@pytest.fixture(scope="module")
def result(coffee, detail):
    return (coffee + detail).clamp(0, 1)


def test_the_layer_becomes_more_active(network, coffee, result):
    """Gate 2; measured 13 (`dreamlayer dream tests/pictures/coffee.png --seed 7 --json`)."""
    gain = measures.gain(coffee, result, network, DEFAULT, whole(*coffee.shape[-2:]))
    assert gain > 8


def test_the_source_has_a_gain_of_one(network, coffee):
    gain = measures.gain(coffee, coffee, network, DEFAULT, whole(*coffee.shape[-2:]))
    assert gain == pytest.approx(1.0, abs=0.01)  # the result is rounded to 8 bit, as coffee is


def test_more_steps_dream_deeper(network, coffee):
    part = coffee[..., 60:260, 100:340].clone()
    gains = []
    for steps in (2, 5, 10):
        recipe = replace(DEFAULT, steps=steps, octaves=2)
        after = (part + looks.dreamt(part, network, recipe)).clamp(0, 1)
        gains.append(measures.gain(part, after, network, recipe, whole(*part.shape[-2:])))
    assert gains == sorted(gains)
    assert gains[0] > 1.5


def test_no_grain_no_colour_cast_no_clipping(coffee, result):
    assert 0.8 < looks.high_frequencies(result) / looks.high_frequencies(coffee) < 1.5
    assert looks.chroma(result) / looks.chroma(coffee) < 1.3
    assert looks.clipped(result) - looks.clipped(coffee) < 0.05


def test_no_lattice_of_dots(network, detail):
    assert looks.lattice_index(detail, network.stride) < 1.1


def test_the_edges_dream_as_the_middle_does(network):
    """Parts of photos and a texture whose edges hold nothing that their middle does not."""
    torch.manual_seed(2)
    noise = torch.rand(1, 3, 36, 48)
    texture = torch.nn.functional.interpolate(noise, (288, 384), mode="bicubic").clamp(0, 1)
    coffee = looks.photo("coffee.png")[..., 200:400, 100:500].clone()
    cat = looks.photo("chelsea.png")[..., 40:240, 100:350].clone()
    recipe = replace(DEFAULT, octaves=3, steps=5)
    for picture in (texture, coffee, cat):
        assert 0.7 < looks.border_index(looks.dreamt(picture, network, recipe)) < 1.3


def test_no_seams_between_tiles(network, coffee):
    part = coffee[..., :320, :512].clone()
    recipe = replace(DEFAULT, octaves=1, steps=4, tile=64, roll=False)
    tiled = looks.seam_index(looks.dreamt(part, network, recipe), 64)
    whole_ = looks.seam_index(looks.dreamt(part, network, replace(recipe, tile=8192)), 64)
    assert tiled / whole_ == pytest.approx(1.0, abs=0.01)


def test_the_picture_leaves_its_source_as_strength_grows(coffee, detail):
    similar = [looks.ssim(coffee, (coffee + s * detail).clamp(0, 1)) for s in (0, 0.25, 0.5, 1)]
    assert similar[0] == pytest.approx(1.0)
    assert similar == sorted(similar, reverse=True)
    assert similar[-1] > 0.5


def test_a_channel_is_excited_more_than_the_others():
    """Gate: the target's gain is at least three times the median gain of the others."""
    network = cut("squeezenet1_1", "10")
    source = looks.photo("coffee.png")[..., 60:260, 100:340].clone()
    recipe = Recipe.of({"layer": "10:30", "seed": 7, "octaves": 2})
    after = (source + looks.dreamt(source, network, recipe)).clamp(0, 1)
    with torch.inference_mode():
        before_, after_ = network(source).mean(dim=(0, 2, 3)), network(after).mean(dim=(0, 2, 3))
    gains = after_ / before_.clamp(min=1e-6)
    awake = before_ > 1e-3
    assert gains[30] >= 3 * gains[awake].median()
