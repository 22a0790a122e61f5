"""Kinds: which channels count, how they are spread, and that tiles change nothing."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.metrics import gain
from dreamlayer.engine.objectives.binding import UnboundExpression, network_for
from dreamlayer.engine.objectives.kind_terms import FLOORS, SPREADS, KindTerm
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm, single_term
from dreamlayer.engine.objectives.terms import ChannelsTerm, MapLocation, SquaresTerm
from dreamlayer.geometry import Window
from dreamlayer.networks.kinds import kinds
from dreamlayer.networks.kinds.classes import KINDS
from dreamlink.recipe.recipe import PARAMETERS, Recipe
from tests.bench.kinds import CHANNELS, kind_channels, usual_activations
from tests.engine.looks import dream_detail, photo

RECIPE = Recipe.of({"method": "painted", "layer": "kind:dogs", "steps": 3, "seed": 7})
MODEL = RECIPE.model


@pytest.fixture(scope="module")
def network():
    return network_for(RECIPE)


@pytest.fixture(scope="module")
def cup():
    return photo("coffee.png", 200)


def test_the_file_is_what_weights_and_pictures_give():
    assert {name: list(kinds.find(MODEL, name).channels[0]) for name in KINDS} == kind_channels()
    means, spreads = usual_activations()
    stored = kinds.find(MODEL, "dogs")
    calm = kinds.CALM * sum(spreads) / len(spreads)
    for channel, mean, spread in zip(
        stored.channels[0], stored.means[0], stored.spreads[0], strict=True
    ):
        assert math.isclose(mean, means[channel], abs_tol=2e-3)
        assert math.isclose(spread, spreads[channel] + calm, rel_tol=1e-3, abs_tol=2e-3)


def test_every_kind_has_its_own_channels():
    assert kinds.names(MODEL) == [*KINDS, kinds.MENAGERIE]
    for name in KINDS:
        kind = kinds.find(MODEL, f" {name.title()} ")
        assert kind.layer == "features.12"
        (channels,), (spreads,) = kind.channels, kind.spreads
        assert len(set(channels)) == CHANNELS
        assert min(spreads) > 0


def test_the_menagerie_is_made_of_kinds():
    found = kinds.find(MODEL, kinds.MENAGERIE)
    own = [kinds.find(MODEL, name) for name in kinds.ANIMALS]
    assert found.channels == tuple(kind.channels[0] for kind in own)
    assert found.spreads == tuple(kind.spreads[0] for kind in own)


def test_the_spreads_are_those_of_the_recipe():
    assert PARAMETERS["spread"].choices == SPREADS


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"layer": "kind:dog"}, ("Did you mean dogs",)),
        ({"layer": "kind:qqq"}, ("It knows dogs, hounds",)),
        ({"layer": "10 + kind:qqq"}, ("kind:qqq", "It knows dogs")),
        ({"layer": "kind:dogs", "model": "vgg16"}, ("vgg16 has no kinds", "squeezenet1_1 has")),
    ],
)
def test_a_kind_that_is_not_there_is_a_sentence(values, words):
    with pytest.raises(UnboundExpression) as caught:
        network_for(Recipe.of(values))
    for word in words:
        assert word in str(caught.value)


@given(st.sampled_from(SPREADS), st.integers(0, 1000), st.integers(1, 5))
def test_the_gradient_is_autograds(spread, seed, side):
    random = torch.Generator().manual_seed(seed)
    cells = torch.randn(1, 8, side, side, generator=random, dtype=torch.float64) * 3
    means = torch.rand(2, 3, generator=random)
    channels = torch.tensor([[6, 0, 3], [2, 3, 7]])
    term = KindTerm(channels, means, means + 0.1, FLOORS.get(spread))
    cells.requires_grad_()
    value = term.value(cells, None)
    (expected,) = torch.autograd.grad(value * 2.5, cells)
    found = term.backward(cells.detach(), torch.tensor(2.5, dtype=torch.float64))
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_an_objective_uses_that_gradient(monkeypatch):
    cells = torch.rand(1, 4, 3, 3) + 1
    term = KindTerm(torch.tensor([[1, 2]]), torch.zeros(1, 2), torch.ones(1, 2), 0.05)
    objective, whole = single_term(term), Window.whole(3, 3)
    location = MapLocation(whole, whole, lambda x, y: (0, 0))
    value = objective.value([cells.requires_grad_()])
    (expected,) = torch.autograd.grad(value, cells)
    monkeypatch.setattr(KindTerm, "value", lambda *_: pytest.fail("autograd was used"))
    found = objective.grad(cells.detach(), 0, location, 1)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("spread", SPREADS)
def test_a_sparse_objective_is_the_same_of_its_own_channels_alone(spread):
    cells = torch.randn(1, 9, 4, 5) * 3
    kinds_of_things = KindTerm(
        torch.tensor([[6, 0], [2, 6]]), torch.rand(2, 2), torch.ones(2, 2), FLOORS.get(spread)
    )
    terms = (kinds_of_things, ChannelsTerm((7, 2, 2)))
    objective = Objective(tuple(WeightedTerm(0.5, 0, 2.0, term) for term in terms))
    location = MapLocation(Window.whole(4, 5), Window.whole(4, 5), lambda x, y: (0, 0))
    sparse = objective.sparse
    assert sparse is not None
    used = sparse.channels
    assert used == [0, 2, 6, 7]
    whole = objective.grad(cells, 0, location, 1)
    assert torch.equal(sparse.objective.grad(cells[:, used], 0, location, 1), whole[:, used])
    assert torch.equal(sparse.objective.each(cells[:, used]), objective.each(cells))
    assert torch.allclose(
        objective.each(cells).sum(), objective.total({0: cells}, {0: location}, 20)
    )
    assert not whole[:, [1, 3, 4, 5, 8]].any()
    squares = WeightedTerm(1.0, 0, 1.0, SquaresTerm())
    assert Objective((*objective.terms, squares)).sparse is None


def test_everywhere_is_more_even_than_one():
    """A second place with a little of the kind weighs more against one that has much."""
    cells = torch.zeros(1, 1, 1, 2)
    cells[..., 0], cells[..., 1] = 10.0, 0.5

    def share(spread):
        own = (torch.tensor([[0]]), torch.zeros(1, 1), torch.ones(1, 1))
        term = KindTerm(*own, FLOORS.get(spread))
        slopes = term.backward(cells, torch.ones(())).flatten()
        return float(slopes[1] / slopes.sum())

    assert share("one") < share("sparse") < share("everywhere")


def test_of_several_kinds_each_place_grows_its_own():
    cells = torch.zeros(1, 2, 1, 2)
    cells[0, :, 0] = torch.tensor([[3.0, 1.0], [1.0, 2.0]])
    term = KindTerm(torch.tensor([[0], [1]]), torch.zeros(2, 1), torch.ones(2, 1), None)
    slopes = term.backward(cells, torch.ones(()))
    assert slopes[0, :, 0].tolist() == [[6.0, 0.0], [0.0, 4.0]]


@pytest.mark.parametrize("method", ["painted", "steps"])
def test_tiles_change_nothing(cup, network, method):
    recipe = replace(RECIPE, method=method, steps=2, octaves=2)
    detail = dream_detail(cup, network, recipe)
    assert detail.any()
    assert torch.equal(detail, dream_detail(cup, network, replace(recipe, tile=64)))


def test_a_kind_grows_more_than_others(cup, network):
    detail = dream_detail(cup, network, replace(RECIPE, steps=8))
    result, window = as_plane((cup + detail).clamp(0, 1)), Window.whole(*cup.shape[-2:])
    gains = {
        name: gain(as_plane(cup), result, network, replace(RECIPE, layer=f"kind:{name}"), window)
        for name in ("dogs", "birds", "fish", "fruit", "towers", "spiders")
    }
    own = gains.pop("dogs")
    assert own > 3 * sorted(gains.values())[len(gains) // 2]
