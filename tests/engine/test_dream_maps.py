"""Dreams whose regions have objectives of their own: exact gradients, shares, equal strength."""

from dataclasses import replace
from statistics import mean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlayer.engine.ascent.balance import balanced
from dreamlayer.engine.ascent.region_norms import RegionNorms
from dreamlayer.engine.dream import dream
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.metrics import GainMeter, MeasuredRegion
from dreamlayer.engine.objectives import regional
from dreamlayer.engine.objectives import terms as objectives
from dreamlayer.engine.objectives.binding import UnboundExpression, bind_recipe, network_for
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.regional import CONTRAST, RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.objectives.terms import CellCentres
from dreamlayer.engine.quick_look import run_quick_look
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import ReceptiveLayout
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks
from tests.engine.test_tiled_gradient import pooled

SHORT = {"octaves": 2, "steps": 2, "seed": 5}
TWO = "#ff0000=10:30; #00ff00=9:40 + 6*0.2"
RISEN = 0.4  # how far the second of two objectives has risen in the first's region
METHODS = [{}, {"method": "painted", "steps": 1}]


def halves(height=20, width=30, numbers=(0, 1)):
    """Left one region, right another, with a soft border."""
    right = torch.linspace(-4, 5, width).clamp(0, 1).expand(1, 1, height, width)
    return ShareMap(torch.cat([1 - right, right], dim=1).contiguous(), numbers)


def parts(network):
    return [
        Objective((
            WeightedTerm(1.0, 0, 1.0, objectives.SquaresTerm()),
            WeightedTerm(0.5, 1, 2.0, objectives.MeanTerm()),
        )),
        Objective((
            WeightedTerm(-2.0, 1, 1.0, objectives.ChannelsTerm((1, 2))),
            WeightedTerm(3.0, 1, 1.0, objectives.LogitTerm(network.logits, 1)),
        )),
    ]  # fmt: skip


CELLS = {  # a term of each cell
    objectives.SquaresTerm: lambda cells: cells.square().mean(dim=1)[0],
    objectives.MeanTerm: lambda cells: cells.mean(dim=1)[0],
    objectives.ChannelsTerm: lambda cells: cells[0, 1:3].mean(dim=0),
}


def untiled(network, objective, canvas, picture, window):
    """The gradient by autograd through the whole canvas, weighted cell by cell."""
    layout = ReceptiveLayout(network, canvas, window)
    x = canvas.take(picture, Window.whole(*canvas.size)).detach().requires_grad_(True)
    maps = network(x)
    total = x.new_zeros(())
    for k, counted in enumerate(layout.counted):
        cells = maps[k][counted.slices()]
        location = layout.location(k, counted)
        shares = objective.shares.at(location.centres(counted)).to(cells)
        for part, scale, share in zip(objective.parts, objective.scales, shares, strict=True):
            for term in part.for_map(k).terms:
                if not term.term.additive:  # sees the whole map, and changes its region
                    seen = cells * share + (cells * (1 - share)).detach()
                    total = total + scale * term.value(seen, location)
                    continue
                cell = CELLS[type(term.term)](cells / term.scale)
                total = total + scale * term.weight * (share * cell).sum() / counted.area
        total = total - (opposition(objective, k, cells, location, shares) * cells).sum()
    (grad,) = torch.autograd.grad(total, x)
    return grad[canvas.to_canvas(window).slices()]


def opposition(objective, number, cells, location, shares):
    """What is taken away from the gradient at each cell; made for two parts, each with its map."""
    grads = []
    for part in objective.parts:
        some = cells.detach().requires_grad_(True)
        own = part.for_map(number)
        values = [term.value(some, location) / (counts(term, location)) for term in own.terms]
        (grad,) = torch.autograd.grad(sum(values, 0 * some.sum()), some)
        grads.append(grad)
    wanted = sum(
        scale * share * grad
        for scale, share, grad in zip(objective.scales, shares, grads, strict=True)
    )
    taken = torch.zeros_like(cells)
    parts = zip(objective.opposed, shares, shares.flip(0), grads, strict=True)
    for opposed, share, there, grad in parts:
        had = grad.sign() * cells.detach() / objective.layer_scales[number]
        trace = objective.contrast * (1 - share) * (1 + had / 2).clamp(0, 4)
        taken += opposed * grad * (trace + there * RISEN)
    taken[taken.sign() == wanted.sign()] = 0
    return taken


def counts(term, location):
    return location.counted.area if term.term.additive else 1


def tiled(network, objective, canvas, picture, window, side):
    total = torch.zeros(1, 3, *window.size, dtype=picture.dtype)
    made = TiledObjective(network, objective, canvas, window, side)
    list(made.add_gradient(picture, total))
    return total, len(made.blocks)


@settings(max_examples=12, deadline=None)
@given(
    size=st.tuples(st.integers(40, 60), st.integers(40, 60)),
    shift=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    side=st.integers(9, 30),
    apart=st.booleans(),
)
def test_the_gradient_is_exact_for_any_tiles_and_shifts(size, shift, side, apart):
    network = pooled(taps=(1, 6))
    objective = RegionalObjective.of(parts(network), halves(), (0.5, 2.0))
    assert objective.opposed == (0, 1), "a whole layer is opposed, or a thing is not"
    risen = ((0.0, RISEN), (0.0, 0.0))
    objective = replace(objective, scales=(1.0, 0.3), opposed=(0, 0.2), risen=risen)
    canvas = PictureCanvas(*size, 10, shift)
    window = Window(Span(5, 31), Span(8, 37)) if apart else Window.whole(*size)
    random = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 3, *size, dtype=torch.float64, generator=random)
    found, _ = tiled(network, objective, canvas, picture, window, side)
    expected = untiled(network, objective, canvas, picture, window)
    assert (found - expected).abs().max() <= 1e-10 * expected.abs().max()


@given(
    length=st.integers(30, 200),
    stride=st.sampled_from([4, 8, 16]),
    shift=st.integers(0, 31),
    origin=st.integers(0, 29),
    start=st.integers(0, 10),
)
def test_a_cell_takes_the_share_of_what_lies_at_its_centre(length, stride, shift, origin, start):
    """Shares that rise evenly tell where a cell was looked up."""

    class Pooling:
        class Geometry:
            pass

        local = True

    Pooling.Geometry.stride, Pooling.Geometry.reach = stride, (0, stride - 1)
    Pooling.maps, Pooling.stride = (Pooling.Geometry(),), stride
    window = Window(Span(start, length), Span(0, length))
    wrap = start == 0
    canvas = PictureCanvas(length, length, 64, (shift, shift), wrap, (origin * wrap, 0))
    layout = ReceptiveLayout(Pooling(), canvas, window)
    cells = Window(Span(0, length // stride), Span(1, 2))
    centres = layout.centres(0, cells)
    expected = [row * stride + stride / 2 - shift + origin * wrap for row in range(cells.size[0])]
    if wrap:
        expected = [place % length for place in expected]
    found = (centres.rows * window.rows.length + start).tolist()
    assert found == pytest.approx(expected)
    ramp = ShareMap(((torch.arange(64) + 0.5) / 64)[None, None, :, None].float(), (0,))
    inside = [n for n, row in enumerate(centres.rows.tolist()) if 0.1 < row < 0.9]
    fine = CellCentres(centres.rows, centres.columns, (64, 64))
    shares = ramp.at(fine)[0, :, 0]
    assert shares[inside].tolist() == pytest.approx(centres.rows[inside].tolist(), abs=1e-4)


def test_shares_of_a_seamless_picture_continue_at_the_opposite_edge():
    planes = torch.zeros(1, 1, 1, 8)
    planes[..., 0] = 1
    edge = CellCentres(torch.tensor([0.5]).double(), torch.tensor([0.0, 0.99]).double(), (8, 8))
    assert ShareMap(planes, (0,), wrap=True).at(edge)[0, 0].tolist() == pytest.approx([0.5, 0.42])
    assert ShareMap(planes, (0,)).at(edge)[0, 0].tolist() == pytest.approx([1.0, 0.0])


@pytest.fixture(scope="module")
def cat():
    return looks.photo("chelsea.png", 220)


@pytest.fixture(scope="module")
def network():
    return network_for(Recipe.of({"bind": TWO}))


def recipe_of(**values):
    return Recipe.of({**SHORT, "bind": TWO, **values})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("more", [{}, {"wrap": True}])
def test_tiles_change_no_bit_and_the_seed_repeats(cat, network, method, more):
    recipe, shares = recipe_of(**method, **more), replace(halves(), wrap="wrap" in more)
    whole, again, small = (
        looks.dream_detail(cat, network, replace(recipe, tile=tile), shares=shares)
        for tile in (4096, 4096, 96)
    )
    assert torch.equal(whole, again)
    assert torch.equal(whole, small)
    assert whole.abs().mean() > 0.001


@pytest.mark.parametrize("method", METHODS)
def test_tiles_change_no_bit_of_a_selection(cat, network, method):
    recipe, window = recipe_of(**method), Window(Span(20, 120), Span(40, 190))
    mask = torch.ones(1, 1, *window.size)
    mask[..., :30] = 0
    details = [
        looks.dream_detail(
            cat, network, replace(recipe, tile=tile), window, shares=halves(), mask=mask
        )
        for tile in (4096, 96)
    ]
    assert torch.equal(*details)
    assert details[0][..., 30:].abs().mean() > 0.001


@pytest.mark.parametrize("method", METHODS)
def test_a_map_of_one_colour_is_the_plain_dream(cat, method):
    plain = Recipe.of({**SHORT, "layer": "10:30", **method})
    bound = replace(plain, layer="9", bind="#0000ff=9; #ff0000=10:30")
    network = network_for(plain)
    shares = ShareMap(torch.ones(1, 1, 3, 4), (1,))
    found = looks.dream_detail(cat, network, bound, shares=shares)
    assert torch.equal(found, looks.dream_detail(cat, network, plain))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_objective_everywhere_dreams_as_strongly_as_without_a_map(cat, method):
    recipe = Recipe.of({"octaves": 2, "steps": 5, "seed": 5, "layer": "10", **method})
    network = network_for(recipe)
    plain = looks.dream_detail(cat, network, recipe)
    bound = replace(recipe, bind="#ff0000=10; #00ff00=10")
    found = looks.dream_detail(cat, network, bound, shares=halves())
    assert float(found.abs().mean() / plain.abs().mean()) == pytest.approx(1, abs=0.2)


def test_what_a_region_asks_for_is_kept_out_of_the_others(cat):
    """Even where the picture has it: the channels' activation there falls below the source's."""
    recipe = Recipe.of({"octaves": 2, "steps": 8, "seed": 5, "bind": "#ff0000=10:30; #00ff00=10:9"})
    network = network_for(recipe)
    found = {}
    for contrast in (0.0, CONTRAST):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(regional, "CONTRAST", contrast)
            detail = looks.dream_detail(cat, network, recipe, shares=halves())
        found[contrast] = [
            [gain(network, recipe, cat, detail, region, number) for number in (0, 1)]
            for region in (0, 1)
        ]
    for region in (0, 1):
        without, opposed = (found[contrast][region] for contrast in (0.0, CONTRAST))
        assert opposed[region] > 0.6 * without[region] > 1.2, found
        assert opposed[1 - region] < 0.7 * without[1 - region], found


def gain(network, recipe, source, detail, region, number):
    measured = MeasuredRegion(recipe.bindings()[number].expression, halves().alone(region))
    window = Window.whole(*source.shape[-2:])
    meter = GainMeter(source, network, recipe, window, None, measured)
    return mean(meter.gains((source + detail).clamp(0, 1)))


def test_what_a_region_wants_itself_is_not_opposed():
    """Two regions with the same channel: the gradient is that of the one channel everywhere."""
    network = pooled()
    part = Objective((WeightedTerm(1.0, 0, 1.0, objectives.ChannelsTerm((1,))),))
    random = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 3, 40, 40, dtype=torch.float64, generator=random)
    canvas, window = PictureCanvas(40, 40, 10, (5, 5)), Window.whole(40, 40)
    both = RegionalObjective.of([part, part], halves(), (1.0,))
    found, _ = tiled(network, both, canvas, picture, window, 40)
    plain, _ = tiled(network, part, canvas, picture, window, 40)
    assert torch.allclose(found, plain, rtol=1e-4, atol=1e-9)


def test_what_is_hardly_seen_in_its_own_region_is_not_opposed_beyond_measure(cat, monkeypatch):
    """Its scale is large, and it may be seen well elsewhere."""
    recipe, size = Recipe.of({**SHORT, "bind": "#ff0000=10:30; #00ff00=10:9"}), cat.shape[-2:]
    network, window = network_for(recipe), Window.whole(*size)
    made = bind_recipe(recipe, network, None, halves())
    here_and_elsewhere = iter([(0.01, 1.0), (1.0, 0.5)])
    monkeypatch.setattr(
        RegionNorms,
        "of",
        lambda shares, size, _: RegionNorms(shares, size, next(here_and_elsewhere)),
    )
    even = balanced(made, as_plane(cat), network, window, size, 0, NanGuard())
    assert even.scales == (100, 1)
    assert even.opposed == (4, 1)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_each_region_dreams_its_own_objective(method):
    """Though the squares' gradient is far larger than the channel's."""
    photo = looks.photo("coffee.png", 320)
    recipe = Recipe.of({"seed": 5, "bind": "#ff0000=10; #00ff00=10:30*0.001", **method})
    detail = looks.dream_detail(photo, network_for(recipe), recipe, shares=halves())
    left, right = (part.abs().mean() for part in detail.split(160, dim=-1))
    assert 0.5 < left / right < 2


def test_balance_and_norms_make_gradients_equally_large(cat, network):
    objective = bind_recipe(recipe_of(), network, None, halves())
    objective = replace(objective, parts=(objective.parts[0], scaled(objective.parts[1], 1e-3)))
    size, window = cat.shape[-2:], Window.whole(*cat.shape[-2:])
    even = balanced(objective, as_plane(cat), network, window, size, 0, NanGuard())
    assert even.scales[1] / even.scales[0] > 20
    gradient = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(2))
    gradient[..., : size[1] // 2] *= 5
    norms = RegionNorms.of(even.shares, size, as_plane(gradient).read)
    assert norms.means[0] > 3 * norms.means[1]
    evened = gradient * norms.factors(window)
    assert float(evened.abs().mean()) == pytest.approx(1, rel=0.1)
    left, right = (part.abs().mean() for part in evened.split(size[1] // 2, dim=-1)[:2])
    assert 0.4 < left / right < 2.5


def scaled(part, factor):
    return Objective(tuple(replace(term, weight=term.weight * factor) for term in part.terms))


def test_quick_looks_and_films_follow_the_map(cat, network):
    recipe, window = recipe_of(octaves=3), Window.whole(*cat.shape[-2:])
    looking = run_quick_look(as_plane(cat), network, recipe, window, shares=halves())
    try:
        while True:
            next(looking)
    except StopIteration as done:
        look = done.value.detail
    assert look.abs().mean() > 0.001
    carried = looks.dream_detail(
        cat, network, recipe, shares=halves(), previous_detail=as_plane(look), carry=0.5
    )
    assert carried.abs().mean() > 0.001


def test_the_kernel_and_autograd_agree(cat, monkeypatch):
    recipe = recipe_of(octaves=1, steps=1)
    details = []
    for engine in ("kernel", "autograd"):
        monkeypatch.setenv("DREAMLAYER_ENGINE", engine)
        network = network_for(recipe)
        assert network.executor_name == engine
        details.append(looks.dream_detail(cat, network, recipe, shares=halves()))
    assert looks.decibels(*details) > 60


def test_a_missing_map_and_noise_are_refused_in_a_sentence(cat, network):
    window = Window.whole(*cat.shape[-2:])
    with pytest.raises(UnboundExpression, match=r"none was given\."):
        next(dream(cat, network, recipe_of(), window))
    with pytest.raises(ValueError, match="needs a picture to dream on"):
        next(dream(cat, network, recipe_of(start="noise"), window, shares=halves()))
