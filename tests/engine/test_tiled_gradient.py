"""The tiled gradient equals the untiled one (docs/design/exact-tiling.md)."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlayer.engine.objectives import terms as objectives
from dreamlayer.engine.objectives.binding import bind, network_for
from dreamlayer.engine.objectives.kind_terms import KindTerm
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm, single_term
from dreamlayer.engine.objectives.terms import ChannelsTerm, SquaresTerm
from dreamlayer.engine.tiling import tiled_gradient as gradient
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Span, Window
from dreamlayer.networks.registry import registry
from dreamlink.recipe.recipe import Recipe
from tests.engine.networks import pooled, unpadded, with_random_weights

EMBEDDED = "squeezenet1_1"
HUGE = 1 << 20  # a side that makes any picture one tile
SQUARES = single_term(SquaresTerm())
RANDOM = torch.Generator().manual_seed(9)
GUIDE = torch.randn(6, 20, generator=RANDOM, dtype=torch.float64)
DIRECTION = torch.randn(6, generator=RANDOM, dtype=torch.float64)
KINDS = (
    torch.tensor([[4, 1, 3], [0, 1, 5]]),
    torch.tensor([[0.1, 0.0, -0.1], [0.0, 0.2, 0.1]]),
    torch.tensor([[0.5, 1.0, 2.0], [1.5, 1.0, 0.7]]),
)
KIND = tuple(each[:1] for each in KINDS)


def tiled_gradient(network, objective, canvas, picture, window, side):
    total = torch.zeros_like(picture[..., window.rows.slice(), window.columns.slice()])
    tiled = TiledObjective(network, objective, canvas, window, side)
    assert sum(tiled.add_gradient(picture, total)) == pytest.approx(1.0)
    return total, len(tiled.blocks)


def untiled_gradient(network, objective, canvas, picture):
    """The definition: autograd through the whole canvas at once, for the picture's own pixels.

    Means are over the cells that see the picture: a last cell may see only its reflection.
    """
    layout = TiledObjective(
        network, objective, canvas, Window.whole(*picture.shape[-2:]), HUGE
    ).layout
    seen = canvas.take(picture, Window.whole(*canvas.size)).clone().requires_grad_(True)
    maps = [
        cells[..., counted.rows.slice(), counted.columns.slice()]
        for cells, counted in zip(network(seen), layout.counted, strict=True)
    ]
    places = [layout.location(number, counted) for number, counted in enumerate(layout.counted)]
    (slope,) = torch.autograd.grad(objective.value(maps, places), seen)
    down, right = canvas.shift
    return slope[..., down : down + canvas.height, right : right + canvas.width]


def error(found, expected):
    return float((found - expected).norm() / expected.norm())


def terms(network):
    """Every kind of term, on the last map of a small network."""
    return {
        "squares": SquaresTerm(),
        "mean": objectives.MeanTerm(),
        "channels": ChannelsTerm((1, 4)),
        "unit": objectives.UnitTerm(2, (0.4, 0.7)),
        "direction": objectives.DirectionTerm(DIRECTION),
        "guide": objectives.GuideTerm(GUIDE),
        "one of a kind": KindTerm(*KIND, None),
        "a kind everywhere": KindTerm(*KIND, 0.05),
        "several kinds": KindTerm(*KINDS, 0.05),
        "cosine": objectives.CosineTerm(DIRECTION),
        "class": objectives.LogitTerm(network.logits, 3),
    }


@pytest.mark.slow
@pytest.mark.parametrize("make", [pooled, unpadded])
@pytest.mark.parametrize("kind", terms(pooled()))
@settings(max_examples=6, deadline=None)
@given(
    height=st.integers(21, 75),
    width=st.integers(21, 75),
    side=st.integers(1, 80),
    margin=st.integers(0, 9),
    data=st.data(),
)
def test_any_tiling_of_any_size_is_exact(make, kind, height, width, side, margin, data):
    network = make()
    shift = (data.draw(st.integers(0, margin)), data.draw(st.integers(0, margin)))
    canvas = PictureCanvas(height, width, margin, shift)
    picture = torch.rand(1, 3, height, width, dtype=torch.float64)
    objective = single_term(terms(network)[kind])
    found, _ = tiled_gradient(
        network, objective, canvas, picture, Window.whole(height, width), side
    )
    assert error(found, untiled_gradient(network, objective, canvas, picture)) < 1e-10


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    height=st.integers(21, 75),
    width=st.integers(21, 75),
    side=st.integers(1, 80),
    shift=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_several_layers_of_several_strides_are_exact(height, width, side, shift):
    network = pooled(taps=(1, 4, 6))
    objective = Objective((
        WeightedTerm(1.0, 0, 2.0, SquaresTerm()),
        WeightedTerm(-0.5, 1, 0.3, ChannelsTerm((7,))),
        WeightedTerm(3.0, 2, 1.0, objectives.LogitTerm(network.logits, 1)),
        WeightedTerm(2.0, 2, 0.7, objectives.CosineTerm(DIRECTION)),
    ))  # fmt: skip
    canvas = PictureCanvas(height, width, 9, shift)
    picture = torch.rand(1, 3, height, width, dtype=torch.float64)
    found, _ = tiled_gradient(
        network, objective, canvas, picture, Window.whole(height, width), side
    )
    assert error(found, untiled_gradient(network, objective, canvas, picture)) < 1e-10


def squeezenet(layer, dtype=torch.float64):
    return network_for(Recipe.of({"layer": layer})).to("cpu", dtype)


@pytest.mark.parametrize("size", [(211, 257), (240, 333)])
@pytest.mark.parametrize("side", [64, 128])
def test_the_embedded_network_is_exact(size, side):
    network = squeezenet("10")
    canvas = PictureCanvas(*size, 16, (5, 11))
    picture = torch.rand(1, 3, *size, dtype=torch.float64)
    found, count = tiled_gradient(network, SQUARES, canvas, picture, Window.whole(*size), side)
    assert count > 1
    assert error(found, untiled_gradient(network, SQUARES, canvas, picture)) < 1e-10


# Network, layer, channels, picture and tile size, small for the speed of float64. The channels
# are some with the layer's full receptive field: those of a block's 1×1 branch see less.
NETWORKS = [
    ("squeezenet1_1", "10", ":" + ",".join(map(str, range(192, 384))), (211, 257), 128),
    ("vgg16", "features.7", ":3,30,115", (61, 83), 48),
    ("googlenet", "inception3b", ":130,200,330", (151, 183), 96),
    ("resnet50", "layer2", ":3,30,115", (151, 183), 96),
]
# Strips longer than the receptive field of a cell in front of the classifier.
STRIPS = [
    ("squeezenet1_1", (40, 320), 170),
    ("vgg16", (40, 320), 170),
    ("googlenet", (40, 600), 310),
    ("resnet50", (40, 700), 360),
]


@pytest.fixture
def random_weights(monkeypatch):
    """Random weights, but for the default network."""
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda name: load(name) if name == EMBEDDED else with_random_weights(name)
    )


def problem(model, text):
    recipe = Recipe.of({"model": model, "layer": text})
    network = network_for(recipe).to("cpu", torch.float64)
    random = torch.Generator().manual_seed(5)
    guide = torch.rand(1, 3, 100, 90, dtype=torch.float64, generator=random)
    return network, bind(recipe.expression(), network, guide)


def check_exact(model, text, size, side):
    """Tiled equals untiled, and with too small a halo, on either side, it does not.

    Too small by three strides: up to two strides around a block are computed in any case.
    """
    network, objective = problem(model, text)
    random = torch.Generator().manual_seed(6)
    picture = torch.rand(1, 3, *size, dtype=torch.float64, generator=random)
    canvas = PictureCanvas(*size, 16, (5, 11))
    expected = untiled_gradient(network, objective, canvas, picture)
    found, count = tiled_gradient(network, objective, canvas, picture, Window.whole(*size), side)
    assert count > 1
    assert error(found, expected) < 1e-10
    own, (low, high), less = network.maps[0], network.maps[0].reach, 3 * network.stride
    for reach in ((low + less, high), (low, high - less)):
        network.maps = (replace(own, reach=reach),)
        found, _ = tiled_gradient(network, objective, canvas, picture, Window.whole(*size), side)
        assert error(found, expected) > 1e-8


@pytest.mark.slow
@pytest.mark.parametrize(("model", "layer", "channels", "size", "side"), NETWORKS)
@pytest.mark.parametrize("kind", ["", "channels", ":guide", ":cosine"])
def test_every_network_is_exact_with_every_objective(
    model, layer, channels, size, side, kind, random_weights
):
    check_exact(model, layer + (channels if kind == "channels" else kind), size, side)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "size", "side"), STRIPS)
def test_every_network_is_exact_with_a_class(model, size, side, random_weights):
    check_exact(model, "class:castle", size, side)


def test_single_precision_is_exact_to_its_rounding():
    network = squeezenet("10", torch.float32)
    # Always the same picture: in one of five, some cell lies so close to a ReLU's zero, or to its
    # neighbour in a max pool, that the kernel and autograd round it to different sides.
    picture = torch.rand(1, 3, 240, 240, generator=torch.Generator().manual_seed(0))
    canvas = PictureCanvas(240, 240)
    found, _ = tiled_gradient(network, SQUARES, canvas, picture, Window.whole(240, 240), 64)
    assert error(found, untiled_gradient(network, SQUARES, canvas, picture)) < 1e-5


def test_a_window_gets_the_gradient_of_the_cells_that_see_it():
    network, window = pooled(), Window(Span(20, 31), Span(40, 60))
    canvas, picture = PictureCanvas(64, 80), torch.rand(1, 3, 64, 80, dtype=torch.float64)
    found, _ = tiled_gradient(network, SQUARES, canvas, picture, window, 8)
    expected = untiled_gradient(network, SQUARES, canvas, picture)[..., 20:31, 40:60]
    # Fewer cells are counted, so the mean differs: only the direction must agree.
    cosine = torch.nn.functional.cosine_similarity(found.flatten(), expected.flatten(), dim=0)
    assert cosine > 1 - 1e-12


def test_crops_are_limited_to_the_surroundings_of_the_window():
    network = pooled()
    small = Window(Span(8, 40), Span(8, 40))
    tiled = TiledObjective(network, SQUARES, PictureCanvas(400, 400), small, HUGE)
    picture, total = torch.rand(1, 3, 400, 400).double(), torch.zeros(1, 3, 32, 32).double()
    network.seen.clear()
    list(tiled.add_gradient(picture, total))
    assert len(network.seen) == 1
    assert max(network.seen[0]) < 160


def test_blocks_with_an_empty_mask_are_skipped():
    network, picture = pooled(), torch.rand(1, 3, 64, 64, dtype=torch.float64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :16, 40:] = 0.5
    full, _ = tiled_gradient(
        network, SQUARES, PictureCanvas(64, 64), picture, Window.whole(64, 64), 16
    )
    found = torch.zeros_like(picture)
    masked = TiledObjective(network, SQUARES, PictureCanvas(64, 64), Window.whole(64, 64), 16, mask)
    assert sum(masked.add_gradient(picture, found)) == pytest.approx(1.0)
    assert len(masked.blocks) == 2
    assert torch.equal(found[..., :16, 32:], full[..., :16, 32:])
    assert not found[..., 16:, :].any()


@pytest.mark.slow
@pytest.mark.parametrize("side", [48, 128, 200])
@pytest.mark.parametrize("layer", ["10", "features.6 + class:castle"])
def test_on_the_cpu_the_gradient_is_bit_identical_for_any_tiles(side, layer):
    """A single rounding could flip a max pool's choice after a dozen steps and change the dream."""
    network, size = squeezenet(layer, torch.float32), (600, 551)
    objective = bind(Recipe.of({"layer": layer}).expression(), network)
    canvas, picture = PictureCanvas(*size, 80, (37, 41)), torch.rand(1, 3, *size)
    tiled, count = tiled_gradient(network, objective, canvas, picture, Window.whole(*size), side)
    untiled, _ = tiled_gradient(network, objective, canvas, picture, Window.whole(*size), HUGE)
    assert count > 1
    assert torch.equal(tiled, untiled)


@pytest.mark.parametrize("layer", ["10", "features.6 + 0.5 * features.9:3"])
def test_a_map_gradient_computed_by_rows_is_the_same(layer, monkeypatch):
    network, size = squeezenet(layer, torch.float32), (300, 251)
    objective = bind(Recipe.of({"layer": layer}).expression(), network)
    canvas, picture = PictureCanvas(*size, 16, (5, 9)), torch.rand(1, 3, *size)
    at_once, _ = tiled_gradient(network, objective, canvas, picture, Window.whole(*size), HUGE)
    pieces = []
    part = Objective.grad
    monkeypatch.setattr(gradient, "VALUES_AT_ONCE", 20_000)
    monkeypatch.setattr(Objective, "grad", lambda *all_: pieces.append(1) or part(*all_))
    found, _ = tiled_gradient(network, objective, canvas, picture, Window.whole(*size), HUGE)
    assert torch.equal(found, at_once)
    assert len(pieces) > 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(
    # Weights that people write: below the normal range of floats, products round by their order.
    weight=st.floats(-3, 3).filter(lambda weight: weight == 0 or abs(weight) > 1e-6),
    scale=st.floats(0.01, 100),
    channels=st.integers(1, 40),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    per=st.integers(1, 10**6),
)
def test_the_gradient_of_squares_is_bit_identical_to_autograd(
    dtype, weight, scale, channels, size, per
):
    cells = torch.randn(1, channels, *size, dtype=dtype, requires_grad=True)
    mean, squares = (
        WeightedTerm(0.4, 0, 1.0, objectives.MeanTerm()),
        WeightedTerm(weight, 1, scale, SquaresTerm()),
    )
    place = objectives.MapLocation(Window.whole(*size), Window.whole(40, 50), lambda x, y: (0, 0))
    (by_autograd,) = torch.autograd.grad(
        Objective((squares,)).total({1: cells}, {1: place}, per), cells
    )
    found = Objective((mean, squares)).grad(cells.detach(), 1, place, per)
    assert torch.equal(found, by_autograd)


@pytest.mark.parametrize("kind", terms(pooled()))
def test_the_value_does_not_depend_on_the_tiles(kind):
    network, picture = pooled(), torch.rand(1, 3, 70, 90, dtype=torch.float64)
    objective = single_term(terms(network)[kind])
    values = [
        TiledObjective(network, objective, PictureCanvas(70, 90), Window.whole(70, 90), side).value(
            picture
        )
        for side in (4, 17, HUGE)
    ]
    assert values[1:] == pytest.approx(values[:-1])
    if kind != "unit":  # its cell depends on the picture, which complete maps do not tell
        assert values[0] == pytest.approx(float(objective.value(network(picture))))


def test_no_gradient_of_weights_is_computed():
    network = squeezenet("10", torch.float32)
    window = Window.whole(96, 96)
    tiled_gradient(network, SQUARES, PictureCanvas(96, 96), torch.rand(1, 3, 96, 96), window, HUGE)
    assert all(p.grad is None and not p.requires_grad for p in network.module.parameters())
