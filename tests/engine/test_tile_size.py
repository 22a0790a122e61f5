"""Tile sizes: the fastest that fits into memory."""

import pytest

from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.engine.tiling import tile_size
from dreamlayer.engine.tiling.tile_size import SIDES, PassCost, choose_side
from dreamlayer.geometry import Window
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.program.memory_estimate import bytes_per_pixel
from dreamlink.recipe.recipe import Recipe
from tests.engine.networks import pooled

ENOUGH = 1e12
HALO = tile_size.halo(pooled())


def test_one_worker_takes_a_single_tile_if_memory_allows():
    cost = PassCost(0.001, 1e-7, 100.0)
    assert choose_side(cost, HALO, (1000, 1000), (1016, 1016), 1, ENOUGH) >= 1000


def test_a_large_picture_is_divided_among_workers():
    cost = PassCost(0.001, 1e-6, 100.0)
    assert choose_side(cost, HALO, (2000, 2000), (2016, 2016), 4, ENOUGH) <= 1024


def test_a_small_picture_is_not_divided():
    cost = PassCost(0.01, 1e-7, 100.0)
    assert choose_side(cost, HALO, (100, 100), (116, 116), 2, ENOUGH) >= 100


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("budget", [5e7, 2e8, 1e9])
def test_tiles_stay_within_the_memory(count, budget):
    memory = 500.0
    side = choose_side(
        PassCost(0.001, 1e-7, memory), HALO, (9000, 9000), (9016, 9016), count, budget
    )
    halo = 2 * HALO
    assert side == SIDES[0] or count * (side + halo) ** 2 * memory <= budget


def test_only_networks_that_need_much_memory_get_more(monkeypatch):
    network, budgets = pooled(), []
    monkeypatch.setattr(tile_size, "choose_side", lambda *given: budgets.append(given[-1]))
    monkeypatch.setattr(tile_size, "installed_memory", lambda: 64 << 30)
    for memory in (1.0, 50.0, 200.0, 100000.0):
        monkeypatch.setattr(tile_size, "measured_cost", lambda _, m=memory: PassCost(0.0, 1e-6, m))
        tile_size.side(network, Window.whole(9000, 9000), (9016, 9016))
    lean, usual, large, huge = budgets
    assert lean == usual == tile_size.USUAL_BUDGET
    assert large == 200 * tile_size.LARGE_CROP
    assert huge == tile_size.MOST_BUDGET
    monkeypatch.setattr(tile_size, "installed_memory", lambda: 8 << 30)
    tile_size.side(network, Window.whole(9000, 9000), (9016, 9016))
    assert budgets[-1] == 1 << 30


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (4, 4), (16, 4)])
def test_few_threads_share_a_pass(cores, threads, monkeypatch):
    monkeypatch.setattr(tile_size.workers.shared, "count", cores)
    assert tile_size.threads_per_pass() == threads


def test_with_many_cores_several_blocks_are_computed_at_once(monkeypatch):
    network = pooled()
    monkeypatch.setattr(tile_size, "measured_cost", lambda _: PassCost(0.0, 1e-6, 1.0))
    sides = []
    for cores in (4, 16):
        monkeypatch.setattr(tile_size.workers.shared, "count", cores)
        sides.append(tile_size.side(network, Window.whole(1000, 1000), (1016, 1016)))
    assert sides[1] <= 512
    assert sides[0] >= 1000


def test_a_network_is_measured_once(monkeypatch):
    network, measured = pooled(), []
    measure = tile_size._measure
    monkeypatch.setattr(tile_size, "_measure", lambda n: measured.append(n) or measure(n))
    sides = [tile_size.side(network, Window.whole(300, 300), (316, 316)) for _ in range(3)]
    assert len(measured) == 1
    assert len(set(sides)) == 1
    cost = tile_size.measured_cost(network)
    assert cost.pixel > 0
    assert cost.fixed >= 0


def test_on_a_gpu_its_memory_limits_tiles(monkeypatch):
    network = pooled()
    network.device = network.runs_on = type("Device", (), {"type": "cuda"})()
    for budget, least, most in ((1e12, 3000, 9000), (3e7, 128, 1024)):
        monkeypatch.setattr(tile_size.memory, "memory_budget", lambda _, budget=budget: budget)
        assert least <= tile_size.side(network, Window.whole(3000, 3000), (3016, 3016)) <= most


def test_the_memory_of_a_pass_is_estimated_from_its_program():
    small = bytes_per_pixel(program_of(network_for(Recipe.of({"layer": "2"})).module))
    large = bytes_per_pixel(program_of(network_for(Recipe.of({"layer": "10"})).module))
    assert 100 < small <= large < 400  # the first convolution's output alone: 64 B a pixel
