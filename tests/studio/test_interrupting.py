"""A dream that nobody wants any more ends within a tile, whatever computes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dreamlayer.compositing.feather import feather_mask
from dreamlayer.engine.image.planes import strips
from dreamlayer.engine.tiling.workers import Workers
from dreamlayer.networks.executors.choose import CHOICE
from dreamlayer.networks.network import Network, extract
from dreamlayer.networks.registry import registry
from dreamlayer.runtime.interruption import (
    LONG,
    Interrupted,
    between_operations,
    check,
    interruptible,
    uninterrupted,
)
from dreamlayer.studio.local import LocalStudio
from dreamlink.picture import Edges, Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.engine.networks import with_random_weights

Asked = Callable[[], bool]


def after(times: int) -> tuple[Asked, list[int]]:
    """A question answered with yes from the `times`-th time on, and how often it was asked."""
    count = [0]

    def ended() -> bool:
        count[0] += 1
        return count[0] >= times

    return ended, count


def run(network: Network, x: torch.Tensor) -> torch.Tensor:
    forward = network.run(x)
    return forward.backward([cells.clone() for cells in forward.maps])


NETWORKS = {
    "kernel": ("squeezenet1_1", "features.10", ""),
    "tape": ("squeezenet1_1", "features.10", "tape"),
    "autograd": ("mobilenet_v3_small", "features.4", ""),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pass_ends_at_any_of_its_operations(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, layer, choice = NETWORKS[name]
    monkeypatch.setenv(CHOICE, choice)
    if model != "squeezenet1_1":
        monkeypatch.setattr(registry, "load", with_random_weights)
    network = extract(model, [layer])
    if network.executor_name != name:
        pytest.skip(f"{name} is not available here")
    x = torch.rand(1, 3, 600, 600, generator=torch.Generator().manual_seed(1))
    expected = run(network, x)
    never, asked = after(10**9)
    with interruptible(never):
        assert torch.equal(run(network, x), expected)  # asking changes no bit
    assert asked[0] > 10
    for times in (1, asked[0] // 2, asked[0] - 3):
        ended, _ = after(times)
        with interruptible(ended), pytest.raises(Interrupted):
            run(network, x)
    assert torch.equal(run(network, x), expected)  # nothing half done is left behind


def test_small_passes_do_not_ask_before_each_operation() -> None:
    ended, asked = after(10**9)
    with interruptible(ended):
        with between_operations(LONG - 1):
            torch.ones(3).add(1)
        assert asked[0] == 0
        with between_operations(LONG):
            torch.ones(3).add(1)
        assert asked[0] >= 2


def test_loading_of_networks_strips_and_feathers_can_be_ended() -> None:
    yes, _ = after(1)
    works: list[Callable[[], Any]] = [
        lambda: extract("squeezenet1_1", ["features.7"]),
        lambda: list(strips((1, 3, 9000, 9000))),
        lambda: feather_mask(
            np.full((900, 900), 255, np.uint8), (900, 900), 40.0, Edges(False, False, False, False)
        ),
    ]
    for work in works:
        with interruptible(yes), pytest.raises(Interrupted):
            work()


def test_helping_threads_belong_to_the_dream_and_others_do_not() -> None:
    yes, _ = after(1)
    workers = Workers(2)
    with interruptible(yes):
        with pytest.raises(Interrupted):
            list(workers.run([lambda: 1]))
        with uninterrupted():
            check()
            assert list(workers.run([lambda: 2])) == [2]
    assert list(workers.run([lambda: 3])) == [3]


RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "class": {"layer": "class:castle"},
    "laplacian, noise": {"conditioning": "laplacian", "noise": 0.1, "noise_samples": 4},
    "spectral, regularised": {"conditioning": "spectral", "tv": 1.0, "stay": 1.0, "smooth": 8.0},
    "one huge tile": {"tile": 8192},
    "tiles of one pixel": {"tile": 1},
    "larger octaves": {"supersample": 2, "octave_scale": 2.0},
}


@pytest.fixture(scope="module")
def studio() -> LocalStudio:
    return LocalStudio()


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.3, 2.0])
@pytest.mark.parametrize("name", RECIPES)
def test_a_dream_ends_soon_after_it_is_cancelled(
    name: str, moment: float, studio: LocalStudio
) -> None:
    """At any moment, also within a tile; 2 s, as the machine may be busy."""
    layout = Picture(1700, 1500, "U8", "RGB")
    pixels = np.random.default_rng(2).bytes(layout.nbytes)
    recipe = Recipe(seed=4, octaves=2, steps=20, **RECIPES[name])
    cancelled = time.monotonic() + moment
    with interruptible(lambda: time.monotonic() >= cancelled), pytest.raises(Interrupted):
        for _ in studio.dream(DreamRequest(recipe, layout, layout.region), [pixels]):
            check()  # as the worker does between two tiles
    assert time.monotonic() - cancelled < 2.0
