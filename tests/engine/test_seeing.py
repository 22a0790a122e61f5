"""What a network sees: ranked against ordinary pictures, where it is, and under which names."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.engine import seeing
from dreamlayer.engine.seeing import Sight, cell_weights, lay_over, look_at, working_scale
from dreamlayer.networks.graph.receptive_field import Geometry
from dreamlayer.networks.kinds import kinds, usual
from dreamlayer.networks.kinds.usual import UsualActivations
from dreamlayer.networks.network import CLASS, extract, resolve_layer
from dreamlayer.networks.registry import registry
from dreamlink.recipe.recipe import Recipe
from tests.bench.kinds import kind_channels
from tests.bench.usual import LAYERS, usual_activations
from tests.engine.looks import photo

MODEL = "squeezenet1_1"
GEOMETRY = Geometry(stride=16, reach=(-30, 45), channels=1, minimum=1, local=True)


@pytest.fixture(scope="module")
def network():
    return extract(MODEL, [*usual.layers(MODEL), CLASS])


@pytest.fixture(scope="module")
def cat(network):
    picture = photo("chelsea.png", seeing.LONGEST)
    return look_at(network, picture, torch.ones(picture.shape[-2:]), 10)


def test_a_cat_is_called_a_cat(cat):
    assert cat.kinds[0].name == "cats"
    names = registry.categories(MODEL)
    number, probability = cat.classes[0]
    assert names[number] in ("tabby", "tiger cat", "Egyptian cat")
    assert sum(p for n, p in cat.classes if 281 <= n <= 285) > 0.9
    assert 0 < probability <= 1


@pytest.mark.parametrize(
    ("name", "kind", "label"),
    [("coffee.png", "crockery", "espresso"), ("peaks.jpg", "landscapes", "alp"),
     ("china.jpg", "towers", "stupa")],
)  # fmt: skip
def test_things_are_called_what_they_are(network, name, kind, label):
    picture = photo(name, seeing.LONGEST)
    seen = look_at(network, picture, torch.ones(picture.shape[-2:]), 3)
    assert seen.kinds[0].name == kind
    assert registry.categories(MODEL)[seen.classes[0][0]] == label


def test_every_address_can_be_dreamed_and_is_of_this_network(cat):
    for sight in (*cat.channels, *cat.layers):
        layer = sight.expression.split(":")[0]
        assert resolve_layer(MODEL, layer) == layer
        assert sight.address == f"{MODEL}/{sight.expression.replace(':', '/')}"
    for sight in cat.kinds:
        assert sight.address == f"{MODEL}/kind:{sight.name}"
        dreamt = sight.name in kinds.names(MODEL)
        assert sight.expression.startswith("kind:" if dreamt else "features.12:")


def test_channels_are_dreamed_together_as_strongly_as_each_other(cat, network):
    """Each channel's activation counts by what is usual for it."""
    expression = Recipe.of(
        {"layer": seeing.together([(s.expression, s.loudness) for s in cat.channels])}
    ).expression()
    assert len(expression.terms) == len(cat.channels)
    amounts = []
    for (weight, target), sight in zip(expression.terms, cat.channels, strict=True):
        layer = sight.address.split("/")[1]
        assert (target.layer, target.channels) == (layer, (int(sight.name),))
        scale = network.scales[network.layers.index(layer)]
        amounts.append(weight * float(usual.find(MODEL, layer).spreads[int(sight.name)]) / scale)
    assert max(amounts) < 1.02 * min(amounts)


def test_lists_begin_with_the_strongest(cat):
    for sights in (cat.channels, cat.layers, cat.kinds):
        scores = [sight.score for sight in sights]
        assert scores == sorted(scores, reverse=True)
        assert all(map(math.isfinite, scores))


@given(st.lists(st.floats(0.01, 100.0), min_size=6, max_size=6), st.integers(0, 1000))
def test_how_loud_a_channel_is_does_not_matter(factors, seed):
    random = torch.Generator().manual_seed(seed)
    cells = torch.rand(6, 5, 5, generator=random)
    means = torch.rand(6, generator=random)
    spreads = torch.rand(6, generator=random) + 0.5
    gain = torch.tensor(factors)
    silent = torch.zeros(6, dtype=torch.bool)
    quiet = UsualActivations(means, spreads, silent)
    loud = UsualActivations(means * gain, spreads * gain, silent)
    found, expected = loud.deviations(cells * gain[:, None, None]), quiet.deviations(cells)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_silent_channel_is_never_named():
    spreads = torch.tensor([1.0, 1.0, 1e-9, 0.0, 2.0])
    usually = UsualActivations.of(torch.zeros(5), spreads)
    assert usually.silent.tolist() == [False, False, True, True, False]
    deviations = usually.deviations(torch.full((5, 2, 2), 0.5))
    assert deviations[2:4].abs().max() == 0


def test_a_layer_is_as_usual_in_ordinary_pictures(network):
    """Over all of the photos that it was measured on, each layer's energy is 1."""
    for layer, cells in zip(network.layers, network(photo("sunset.jpg", 320)), strict=True):
        if layer != CLASS:
            energy = usual.find(MODEL, layer).deviations(cells[0]).square().mean()
            assert 0.1 < energy < 3


def test_only_the_selected_part_counts(network):
    """A cup beside a cat: either is seen where it is selected, and fires there."""
    cup, cat = photo("coffee.png", 220), photo("chelsea.png", 220)
    height = min(cup.shape[-2], cat.shape[-2])
    both = torch.cat([cup[..., :height, :], cat[..., :height, :]], dim=3)
    half = cup.shape[-1]
    for columns, called in (
        (slice(0, half), {"crockery"}),
        (slice(half, None), {"cats", "big cats"}),
    ):
        weights = torch.zeros(both.shape[-2:])
        weights[:, columns] = 1
        seen = look_at(network, both, weights, 5)
        assert seen.kinds[0].name in called
        size = both.shape[-2:]
        heats = [lay_over(sight, size, size) for sight in (seen.channels[0], seen.kinds[0])]
        for heat in heats:
            inside = torch.zeros(size, dtype=torch.bool)
            inside[:, columns] = True
            assert inside.flatten()[int(heat.argmax())]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(64, 400), st.integers(64, 400))
def test_every_part_has_cells(height, width, rows, columns):
    weights = torch.zeros(rows, columns)
    weights[rows - height :, columns - width :] = 1
    found = cell_weights(GEOMETRY, (rows // 16, columns // 16), weights)
    assert found.shape == (rows // 16, columns // 16)
    assert float(found.sum()) > 0
    assert float(found.min()) >= 0


def test_a_cell_counts_as_far_as_its_pixels_are_selected():
    geometry = Geometry(stride=16, reach=(0, 15), channels=1, minimum=16, local=True)
    weights = torch.zeros(64, 64)
    weights[16:32, 16:40] = 1
    found = cell_weights(geometry, (4, 4), weights)
    expected = torch.zeros(4, 4)
    expected[1, 1], expected[1, 2] = 1.0, 0.5
    assert torch.allclose(found, expected)


def test_a_heat_map_peaks_at_the_cell_that_fires():
    cells = torch.zeros(4, 6)
    cells[1, 4] = 3.0
    sight = Sight("a", "m", "e", "1", 1.0, 1.0, cells, GEOMETRY)
    heat = lay_over(sight, (64, 96), (64, 96))
    row, column = divmod(int(heat.argmax()), 96)
    centre = (sum(GEOMETRY.reach) + 1) / 2
    assert abs(row + 0.5 - (centre + 16)) <= 1
    assert abs(column + 0.5 - (centre + 64)) <= 1
    assert math.isclose(float(heat.max()), 3.0, rel_tol=0.1)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 3000), st.integers(0, 3000))
def test_the_working_size_is_bounded(height, width, more_rows, more_columns):
    picture = (height + more_rows, width + more_columns)
    scale = working_scale((height, width), picture)
    assert max(height, width) * scale <= seeing.LONGEST + 1
    if scale > 1:
        assert max(picture) * scale <= 2 * seeing.LONGEST + 1


def test_a_channel_that_is_handed_on_is_named_once():
    heat = torch.rand(5, 5)
    same, other = heat + 0.01 * torch.rand(5, 5), torch.rand(5, 5)
    sights = [
        Sight(f"m/{layer}/{name}", "m", f"{layer}:{name}", name, score, 1.0, cells, GEOMETRY)
        for layer, name, score, cells in (
            ("a", "3", 1.0, same), ("b", "3", 2.0, heat), ("a", "4", 0.5, heat),
            ("c", "3", 0.2, other),
        )
    ]  # fmt: skip
    named = [sight.address for sight in seeing.strongest(sights, 10)]
    assert named == ["m/b/3", "m/a/4", "m/c/3"]


# What is shipped.


def test_the_kinds_that_are_seen_are_those_of_the_weights():
    from dreamlayer.networks.kinds.classes import KINDS, SEEN

    seen = kinds.seen(MODEL)
    assert list(seen) == [*KINDS, *SEEN]
    assert kinds.seen("efficientnet-lite0") == {}
    expected = {**kind_channels(KINDS), **kind_channels(SEEN)}
    assert {name: list(kind.channels[0]) for name, kind in seen.items()} == expected


def test_every_measured_layer_is_one_of_its_network():
    assert usual.models() == list(LAYERS)
    for model, layers in LAYERS.items():
        assert usual.layers(model) == layers
        for layer in layers:
            assert resolve_layer(model, layer) == layer
    assert usual.layers("vgg16") == []


@pytest.mark.slow
@pytest.mark.parametrize("model", list(LAYERS))
def test_the_file_is_what_the_pictures_give(model):
    for layer, (means, spreads) in usual_activations(model).items():
        stored = usual.find(model, layer)
        size = float(spreads.mean())
        assert torch.allclose(stored.means, means, rtol=1e-2, atol=1e-2 * size)
        heard = ~stored.silent
        assert torch.allclose(stored.spreads[heard], spreads[heard], rtol=1e-2, atol=1e-2 * size)
