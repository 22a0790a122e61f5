"""The gain of each kind of objective."""

import pytest
import torch

from dreamlayer.engine import metrics
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.geometry import Window
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks
from tests.engine.networks import pooled


def meter(source, layer, network=None, guide=None):
    network = network or pooled()
    recipe = Recipe.of({"layer": layer})
    return metrics.GainMeter(source, network, recipe, Window.whole(*source.shape[-2:]), guide)


def mean(gains):
    assert len(gains) == metrics.SHIFTS
    return sum(gains) / len(gains)


@pytest.fixture
def source():
    torch.manual_seed(3)
    bytes_ = torch.randint(60, 200, (1, 3, 40, 52), dtype=torch.float64)
    return bytes_ / 255


@pytest.fixture(scope="module")
def photo():
    return looks.photo("raccoon.jpg", 300)[..., 20:180, 80:240].clone()


def dreamt_gain(photo, layer, measured="", guide=None):
    """The gain of a short dream on the embedded network, of its own or another expression."""
    recipe = Recipe.of({"layer": layer, "seed": 7, "octaves": 1, "steps": 8})
    more = {} if guide is None else {"guide": guide}
    after = (photo + looks.dream_detail(photo, network_for(recipe), recipe, **more)).clamp(0, 1)
    measured = measured or layer
    network = network_for(Recipe.of({"layer": measured}))
    return mean(meter(photo, measured, network, guide).gains(after))


def test_the_source_itself_has_a_gain_of_one(source):
    assert mean(meter(source, "features.6").gains(source)) == pytest.approx(1, abs=1e-9)


def test_the_gain_of_a_layer_is_after_over_before():
    """Doubled activations have four times the square, without bias and except at the border."""
    network = pooled()
    network.module.apply(lambda m: m.bias.data.zero_() if hasattr(m, "bias") else None)
    dark = torch.randint(0, 120, (1, 3, 40, 52), dtype=torch.float64) / 255
    assert mean(meter(dark, "features.6", network).gains(dark * 2)) == pytest.approx(4)


@pytest.mark.parametrize("channel", [3, 6, 18])
def test_a_channel_before_its_relu_has_a_gain_whatever_its_mean(photo, channel):
    """The means of 6 and 18 are negative in this photo, where after / before would be below 1."""
    assert 1.1 < dreamt_gain(photo, f"features.0:{channel}") < 20


@pytest.mark.parametrize("layer", ["features.7", "features.7:mean"])
def test_the_gain_of_a_negative_weight_is_two_at_most(photo, layer):
    assert 1.2 < dreamt_gain(photo, f"-{layer}") <= 2
    assert dreamt_gain(photo, f"-{layer}", layer) < 0.8


def test_the_gain_of_a_cosine_is_relative_to_the_distance_to_the_guide(photo):
    guide = looks.photo("coffee.png", 160)
    assert 1.3 < dreamt_gain(photo, "features.10:cosine", guide=guide) <= 2


def test_the_gain_of_a_class_is_in_standard_deviations_of_the_logits(photo):
    assert dreamt_gain(photo, "class:castle") > 2


def test_there_is_no_gain_if_the_source_does_not_excite_the_layer(source):
    network = pooled()
    network.module.apply(lambda layer: [p.data.zero_() for p in layer.parameters(recurse=False)])
    window = Window.whole(*source.shape[-2:])
    recipe = Recipe.of({"layer": "features.6"})
    assert metrics.gain(source, source, network, recipe, window) is None


def test_detail_below_eight_bits_has_no_gain(source):
    fine = source + 0.4 / 255
    assert mean(meter(source, "features.6").gains(fine)) == pytest.approx(1, abs=1e-9)


def test_more_steps_have_a_higher_gain():
    part = looks.photo("coffee.png")[..., 60:220, 100:300].clone()
    network = network_for(Recipe())
    found = []
    for steps in (2, 5, 10):
        recipe = Recipe.of({"seed": 7, "steps": steps, "octaves": 2})
        after = (part + looks.dream_detail(part, network, recipe)).clamp(0, 1)
        found.append(mean(meter(part, "features.10", network).gains(after)))
    assert found == sorted(found)
    assert found[0] > 1.3
