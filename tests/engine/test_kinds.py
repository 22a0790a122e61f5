"""Kinds of things: what grows, its gradient, and what is said of a kind that nobody knows."""

from __future__ import annotations

import pytest
import torch

from dreamlayer.engine.objectives.binding import UnboundExpression, bind, network_for
from dreamlayer.engine.objectives.kind_terms import SPREADS, KindTerm
from dreamlayer.engine.objectives.terms import MapLocation, single_term
from dreamlayer.geometry import Window
from dreamlayer.networks.kinds import kinds
from dreamlink.recipe.recipe import Recipe
from tests.bench.kinds import kind_channels, usual_activations

EMBEDDED = "squeezenet1_1"
MEANS, SPREAD_OF_EACH = torch.tensor([0.2, 0.5]), torch.tensor([0.5, 2.0])
PLACE = MapLocation(Window.whole(4, 5), Window.whole(4, 5), lambda x, y: (0, 0))


def term(floor: float | None) -> KindTerm:
    return KindTerm(torch.tensor([3, 1]), MEANS, SPREAD_OF_EACH, floor)


@pytest.mark.parametrize("floor", [None, 0.05, 0.5])
def test_a_kind_has_the_gradient_that_autograd_finds(floor: float | None) -> None:
    cells = torch.randn(1, 6, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    objective = single_term(term(floor))
    watched = cells.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(objective.total({0: watched}, {0: PLACE}, 20), watched)
    torch.testing.assert_close(objective.grad(cells, 0, PLACE, 20), expected)
    assert float(expected.abs().sum()) > 0


def test_a_cell_counts_by_how_far_its_channels_exceed_their_usual_activation() -> None:
    cells = torch.zeros(1, 6, 1, 1)
    cells[0, 3] = 1.2  # two spreads above its mean of 0.2
    cells[0, 1] = 0.1  # below its mean
    cells[0, 0] = 99.0  # not of this kind
    assert float(term(None).value(cells, PLACE)) == pytest.approx((2.0**2 + 0) / 2)


def test_everywhere_prefers_weak_places_and_one_prefers_strong_ones() -> None:
    cells = torch.zeros(1, 6, 1, 2)
    cells[0, 3, 0] = torch.tensor([0.5, 5.0])

    def ratio(floor: float | None) -> float:
        weak, strong = single_term(term(floor)).grad(cells, 0, PLACE, 20)[0, 3, 0].tolist()
        return float(weak / strong)

    assert ratio(None) < 0.2 < ratio(0.5) < ratio(0.05)
    assert ratio(0.05) > 1


def test_every_kind_and_spread_of_the_embedded_network_can_be_bound() -> None:
    names = kinds.names(EMBEDDED)
    assert len(names) >= 20
    for name in names:
        recipe = Recipe.of({"layer": f"kind:{name}", "model": EMBEDDED})
        network = network_for(recipe)
        for spread in SPREADS:
            bind(recipe.expression(), network, spread=spread)


def test_a_kind_is_found_in_any_case() -> None:
    assert kinds.find(EMBEDDED, " Big  Cats ") == kinds.find(EMBEDDED, "big cats")


def test_the_stored_channels_are_those_that_the_classifier_counts_most() -> None:
    for name, channels in kind_channels().items():
        assert kinds.find(EMBEDDED, name).channels == tuple(channels), name


@pytest.mark.slow
def test_the_stored_means_and_spreads_are_those_of_the_test_pictures() -> None:
    means, spreads = usual_activations()
    calm = kinds.CALM * sum(spreads) / len(spreads)
    for name in kinds.names(EMBEDDED):
        kind = kinds.find(EMBEDDED, name)
        assert kind.means == pytest.approx([means[c] for c in kind.channels], rel=0.01, abs=0.002)
        of_kind = [spreads[c] + calm for c in kind.channels]
        assert kind.spreads == pytest.approx(of_kind, rel=0.01, abs=0.002)


@pytest.mark.parametrize(
    ("model", "layer", "told"),
    [
        (EMBEDDED, "kind:dog", "mean dogs"),
        (EMBEDDED, "kind:unicorns and such", "It knows dogs"),
        (EMBEDDED, "10 + kind:dosg", "»kind:dosg«.*mean dogs"),
        ("alexnet", "kind:dogs", "squeezenet1_1 has"),
    ],
)
def test_an_unknown_kind_is_answered_with_advice(model: str, layer: str, told: str) -> None:
    recipe = Recipe.of({"model": model, "layer": layer})
    with pytest.raises(UnboundExpression, match=told):
        network_for(recipe)
