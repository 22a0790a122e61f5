"""Non-finite gradients are replaced by zero and counted; everything else is dreamed as usual."""

import pytest
import torch

from dreamlayer.engine import dream as engine
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network, extract
from dreamlink.recipe.recipe import Recipe

PLAIN = Recipe.of({"layer": "features.3", "octaves": 1, "steps": 3, "seed": 5, "roll": False})
SIDE = 96


@pytest.fixture(scope="module")
def network():
    return extract("squeezenet1_1", ["features.3"])


@pytest.fixture(scope="module")
def source():
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


class NonFinitePass:
    """A pass whose gradient is non-finite at one position."""

    def __init__(self, inner, value, place):
        self.inner, self.value, self.place = inner, value, place
        self.maps = inner.maps

    def backward(self, grads):
        gradient = self.inner.backward(grads)
        gradient[(..., *self.place)] = self.value
        return gradient


def make_non_finite(monkeypatch, value, place):
    run = Network.run
    monkeypatch.setattr(
        Network, "run", lambda network, *given: NonFinitePass(run(network, *given), value, place)
    )


def dreamt(source, network, recipe):
    steps = engine.dream(source, network, recipe, Window.whole(SIDE, SIDE))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def detail(found):
    return found.detail_plane.read(Window.whole(SIDE, SIDE))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("conditioning", ["plain", "laplacian", "spectral"])
def test_one_non_finite_value_does_not_spread(monkeypatch, network, source, value, conditioning):
    recipe = Recipe.of({**PLAIN.to_dict(), "conditioning": conditioning})
    right = dreamt(source, network, recipe)
    assert right.non_finite_share == 0
    make_non_finite(monkeypatch, value, (slice(40, 41), slice(50, 51)))
    found = dreamt(source, network, recipe)
    assert torch.isfinite(detail(found)).all()
    assert 0 < found.non_finite_share < 0.01
    difference = (detail(found) - detail(right)).abs()
    assert difference.mean() < 0.1 * detail(right).abs().mean()


def test_a_network_that_returns_only_nan_changes_nothing(monkeypatch, network, source):
    make_non_finite(monkeypatch, float("nan"), (slice(None), slice(None)))
    found = dreamt(source, network, PLAIN)
    assert found.non_finite_share == 1
    assert not detail(found).any()


def test_imagining_from_noise_survives_non_finite_gradients(monkeypatch, network, source):
    call, calls = Network.__call__, []

    def sometimes(self, x):
        calls.append(1)
        maps = call(self, x)
        return tuple(m * float("nan") for m in maps) if len(calls) % 3 == 0 else maps

    monkeypatch.setattr(Network, "__call__", sometimes)
    found = dreamt(source, network, Recipe.of({**PLAIN.to_dict(), "start": "noise"}))
    assert torch.isfinite(detail(found)).all()
    assert torch.isfinite(found.base_plane.read(Window.whole(SIDE, SIDE))).all()
    assert found.base_plane.read(Window.whole(SIDE, SIDE)).std() > 0.05
    assert found.non_finite_share > 0


def test_only_non_finite_values_are_replaced():
    guard = NanGuard()
    gradient = torch.tensor([1.0, float("nan"), -2.0, float("inf")])
    assert guard.clean(gradient).tolist() == [1.0, 0.0, -2.0, 0.0]
    assert guard.share == 0.5
    large = torch.full((4,), 3e38)  # finite values with an infinite sum
    assert guard.clean(large) is not None
    assert guard.clean(large).tolist() == large.tolist()
    assert guard.share == 2 / 12
