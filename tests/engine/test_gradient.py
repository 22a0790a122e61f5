"""The tiled gradient is the gradient: gates of ENGINE.md, "The exact tiled gradient"."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlayer.engine.canvas import Canvas
from dreamlayer.engine.gradient import TiledObjective
from dreamlayer.engine.objectives import Channels, WholeLayer
from dreamlayer.engine.tiles import Span, Window, whole
from dreamlayer.models.network import cut
from tests.engine.networks import pooled, unpadded

HUGE = 1 << 20  # a side that makes one tile of any picture


def tiled_gradient(network, objective, canvas, picture, window, side):
    total = torch.zeros_like(picture[..., window.rows.slice(), window.columns.slice()])
    tiled = TiledObjective(network, objective, canvas, window, side)
    assert sum(tiled.add_gradient(picture, total)) == pytest.approx(1.0)
    return total, len(tiled.blocks)


def untiled_gradient(network, objective, canvas, picture):
    """Autograd through the whole canvas at once, for the picture's own pixels: the definition.

    The mean is over the cells that see the picture: a last one may see its reflection alone.
    """
    counted = TiledObjective(
        network, objective, canvas, whole(canvas.height, canvas.width), HUGE
    ).counted
    seen = canvas.take(picture, whole(*canvas.size)).clone().requires_grad_(True)
    cells = network(seen)
    value = objective.total(cells) / counted.area
    (slope,) = torch.autograd.grad(value, seen)
    down, right = canvas.shift
    return slope[..., down : down + canvas.height, right : right + canvas.width]


def error(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("make", [pooled, unpadded])
@pytest.mark.parametrize("objective", [WholeLayer(), Channels((1, 4))])
@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(21, 75),
    width=st.integers(21, 75),
    side=st.integers(1, 80),
    margin=st.integers(0, 9),
    data=st.data(),
)
def test_any_tiling_of_any_size_is_exact(make, objective, height, width, side, margin, data):
    network = make()
    shift = (data.draw(st.integers(0, margin)), data.draw(st.integers(0, margin)))
    canvas = Canvas(height, width, margin, shift)
    picture = torch.rand(1, 3, height, width, dtype=torch.float64)
    found, _ = tiled_gradient(network, objective, canvas, picture, whole(height, width), side)
    assert error(found, untiled_gradient(network, objective, canvas, picture)) < 1e-10


@pytest.mark.parametrize("size", [(211, 257), (240, 333)])
@pytest.mark.parametrize("side", [64, 128])
def test_the_embedded_network_is_exact(size, side):
    network = cut("squeezenet1_1", "10").to("cpu", torch.float64)
    canvas = Canvas(*size, 16, (5, 11))
    picture = torch.rand(1, 3, *size, dtype=torch.float64)
    found, count = tiled_gradient(network, WholeLayer(), canvas, picture, whole(*size), side)
    assert count > 1
    assert error(found, untiled_gradient(network, WholeLayer(), canvas, picture)) < 1e-10


def test_single_precision_is_exact_to_its_rounding():
    network = cut("squeezenet1_1", "10")
    canvas, picture = Canvas(240, 240), torch.rand(1, 3, 240, 240)
    found, _ = tiled_gradient(network, WholeLayer(), canvas, picture, whole(240, 240), 64)
    assert error(found, untiled_gradient(network, WholeLayer(), canvas, picture)) < 1e-5


@pytest.mark.parametrize("end", [0, 1])
def test_a_halo_one_stride_too_small_is_not_exact(end):
    """The reach that the network reports is needed: with less of it the gate must fail."""
    network = cut("squeezenet1_1", "10").to("cpu", torch.float64)
    low, high = network.reach
    network.reach = (low + network.stride, high) if end == 0 else (low, high - network.stride)
    canvas, picture = Canvas(333, 333), torch.rand(1, 3, 333, 333, dtype=torch.float64)
    found, _ = tiled_gradient(network, WholeLayer(), canvas, picture, whole(333, 333), 64)
    assert error(found, untiled_gradient(network, WholeLayer(), canvas, picture)) > 1e-4


def test_a_window_gets_the_gradient_of_the_cells_that_see_it():
    network, window = pooled(), Window(Span(20, 31), Span(40, 60))
    canvas, picture = Canvas(64, 80), torch.rand(1, 3, 64, 80, dtype=torch.float64)
    found, _ = tiled_gradient(network, WholeLayer(), canvas, picture, window, 8)
    expected = untiled_gradient(network, WholeLayer(), canvas, picture)[..., 20:31, 40:60]
    # Fewer cells are counted, so the mean is another: the direction is what must agree.
    cosine = torch.nn.functional.cosine_similarity(found.flatten(), expected.flatten(), dim=0)
    assert cosine > 1 - 1e-12


def test_no_work_is_done_outside_what_the_window_needs():
    network, seen = pooled(), []
    small = Window(Span(8, 40), Span(8, 40))
    tiled = TiledObjective(network, WholeLayer(), Canvas(400, 400), small, HUGE)
    module = network.module
    network.module = lambda x: seen.append(x.shape[-2:]) or module(x)
    picture, total = torch.rand(1, 3, 400, 400).double(), torch.zeros(1, 3, 32, 32).double()
    list(tiled.add_gradient(picture, total))
    assert len(seen) == 1
    assert max(seen[0]) < 160


@pytest.mark.parametrize("side", [48, 128, 200])
def test_on_the_cpu_not_a_bit_depends_on_the_tiles(side):
    """Or a max pool's choice flips after a dozen steps, and the dream goes another way."""
    network, size = cut("squeezenet1_1", "10"), (600, 551)
    canvas, picture = Canvas(*size, 80, (37, 41)), torch.rand(1, 3, *size)
    tiled, count = tiled_gradient(network, WholeLayer(), canvas, picture, whole(*size), side)
    untiled, _ = tiled_gradient(network, WholeLayer(), canvas, picture, whole(*size), HUGE)
    assert count > 1
    assert torch.equal(tiled, untiled)


def test_the_value_does_not_depend_on_the_tiles():
    network, picture = pooled(), torch.rand(1, 3, 70, 90, dtype=torch.float64)
    cells = network(picture)
    expected = cells.square().mean(dim=1).mean()
    for side in (4, 17, HUGE):
        tiled = TiledObjective(network, WholeLayer(), Canvas(70, 90), whole(70, 90), side)
        assert tiled.value(picture) == pytest.approx(float(expected))


def test_no_gradient_of_weights_is_computed():
    network = cut("squeezenet1_1", "10")
    window = whole(96, 96)
    tiled_gradient(network, WholeLayer(), Canvas(96, 96), torch.rand(1, 3, 96, 96), window, HUGE)
    assert all(p.grad is None and not p.requires_grad for p in network.module.parameters())
