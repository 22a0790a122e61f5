"""Tiles on a graphics card: planned once a dream, by memory, time and what once fitted.

The card is a stand-in: a network that says it is on one, and amounts of memory that are made up.
"""

from types import SimpleNamespace

import pytest
import torch

from dreamlayer.engine.objectives.objective import single_term
from dreamlayer.engine.objectives.terms import (
    SquaresTerm,
)
from dreamlayer.engine.tiling import tile_size
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window
from dreamlayer.networks.executors import choose
from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.runtime.devices import memory
from tests.networks.recorders import Replaying

GB = 1 << 30
CARD = torch.device("cuda:0")


@pytest.fixture
def card(monkeypatch):
    """Free and reserved GB of a card with 24."""
    amounts = SimpleNamespace(free=10.0, reserved=0.0, limits=[])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (amounts.free * GB, 24 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: amounts.reserved * GB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 0)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda *given: amounts.limits.append(given)
    )
    monkeypatch.setattr(memory, "_limited", set())
    monkeypatch.setattr(memory, "_fitted", {})
    return amounts


@pytest.fixture
def network():
    """SqueezeNet, which says that it is on the card."""
    network = extract("squeezenet1_1", ["features.10"])
    assert network.executor_name
    network.device = CARD
    network.largest_area = lambda: float("inf")
    return network


def side(plan, size):
    return plan.side(Window.whole(*size), (size[0] + 48, size[1] + 48))


def test_the_plan_of_a_dream_stays_when_its_graphs_take_memory(card, network):
    plan, sizes = TilePlan(network), []
    for taken in range(8):
        card.free, card.reserved = 10.0 - taken, 0.0  # others took it, or graphs that never shrink
        sizes.append(side(plan, (6000, 8000)))
    assert len(set(sizes)) == 1
    card.free, card.reserved = 3.0, 7.0  # what torch holds for this process is free for it
    assert side(TilePlan(network), (6000, 8000)) == sizes[0]
    card.reserved = 0.0
    assert side(TilePlan(network), (6000, 8000)) < sizes[0]


def test_the_user_s_side_is_reduced_to_the_cards_memory(card, network):
    assert side(TilePlan(network, 8192), (1000, 1000)) == 8192
    card.free = 0.2
    assert side(TilePlan(network, 8192), (6000, 6000)) < 8192


def test_the_time_of_a_pass_limits_tiles(card, network):
    network.largest_area = lambda: 1000.0 * 1000
    chosen = side(TilePlan(network), (6000, 8000))
    assert (chosen + 2 * tile_size.halo(network)) ** 2 <= 1000 * 1000


def test_a_side_that_did_not_fit_is_not_tried_again(card, monkeypatch):
    """Neither in the next step, nor in another dream; the gradient is what it would be."""
    monkeypatch.setenv(choose.CHOICE, "tape")
    network = extract("squeezenet1_1", ["features.3"])
    assert network.executor_name == "tape"
    network.device = CARD
    run, areas = type(network).run, []

    def full(self, x, *given):
        areas.append(x.shape[-1] * x.shape[-2])
        if areas[-1] > 300 * 300:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return run(self, x, *given)

    monkeypatch.setattr(type(network), "run", full)
    monkeypatch.setattr("dreamlayer.engine.tiling.tiled_gradient.transfer.send", lambda x, _: x)
    picture = torch.rand(1, 3, 400, 400, generator=torch.Generator().manual_seed(1))
    canvas, window = PictureCanvas(400, 400), Window.whole(400, 400)
    plan = TilePlan(network)

    def gradient(plan):
        total = torch.zeros_like(picture)
        tiled = TiledObjective(network, single_term(SquaresTerm()), canvas, window, plan)
        for _ in tiled.add_gradient(picture, total):
            pass
        return total

    first = gradient(plan)
    assert areas[0] > 300 * 300
    assert memory.fitted(CARD) is not None
    areas.clear()
    second = gradient(plan)
    gradient(TilePlan(network))
    assert areas
    assert max(areas) <= 300 * 300
    assert torch.allclose(first, second, atol=1e-6 * float(first.abs().max()))


def test_a_dream_drops_what_other_networks_recorded_and_limits_its_own_share(card, network):
    others = [Replaying() for _ in range(3)]
    executors = [
        CudaExecutor(program_of(network.module), torch.device("cpu"), "fp32", recorder)
        for recorder in others
    ]
    choose._in_use.update(executors)
    vars(network)["_executor"] = executors[0]
    network.make_room()
    assert [recorder.cleared for recorder in others] == [0, 1, 1]
    assert card.limits == [(pytest.approx(0.85), CARD)]
