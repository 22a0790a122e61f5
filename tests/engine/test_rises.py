"""What has risen in a region of a dream map that another region asked for, and what follows."""

from dataclasses import replace

import pytest
import torch

from dreamlayer.engine.ascent import rises
from dreamlayer.engine.ascent.rises import RiseMeter
from dreamlayer.engine.objectives import regional
from dreamlayer.engine.objectives import terms as objectives
from dreamlayer.engine.objectives.binding import bind, network_for
from dreamlayer.engine.objectives.kind_terms import KindTerm
from dreamlayer.engine.objectives.levels import level_of
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.objectives.tally import RegionTally
from dreamlayer.engine.objectives.terms import CellCentres, MapLocation
from dreamlayer.engine.octave_loop import MEASURED_EVERY
from dreamlayer.engine.painting import stage_painter
from dreamlayer.engine.painting.copy_levels import CopyLevels
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks
from tests.engine.test_dream_maps import gain, halves

TWO = Recipe.of({"octaves": 1, "steps": 10, "seed": 5, "bind": "#ff0000=10:30; #00ff00=10:9"})


@pytest.fixture(scope="module")
def cat():
    return looks.photo("chelsea.png", 200)


@pytest.fixture(scope="module")
def network():
    return network_for(TWO)


def objective_of(network, count=2):
    parts = [bind(one.expression, network) for one in TWO.bindings()]
    shares = halves()
    if count > 2:
        parts, shares = (
            parts[:1] * count,
            ShareMap(torch.full((1, count, 4, 4), 1 / count), range(count)),
        )
    return RegionalObjective.of(parts, shares, network.scales)


def risen(network, base, picture):
    levels = CopyLevels(objective_of(network), network, base)
    levels.learn(picture)
    return levels.objective.risen


def test_only_what_has_risen_counts_and_only_where(cat, network):
    """Channel 9 is dreamed everywhere, and taken out again on the right."""
    everywhere = replace(TWO, bind="", layer="10:9")
    dreamed = (cat + looks.dream_detail(cat, network_for(everywhere), everywhere)).clamp(0, 1)
    dreamed[..., 80:] = cat[..., 80:]
    assert risen(network, cat, cat) == ()
    (own, other), right = risen(network, cat, dreamed)
    assert own == 0
    assert 0.2 < other <= 1
    assert right == pytest.approx((0, 0), abs=0.1)


def test_all_others_together_are_opposed_no_more_than_as_strongly_as_the_own_objective(network):
    class Measured:
        def __init__(self, *values):
            self.values = torch.tensor(values, dtype=torch.float64)

        def means(self):
            return self.values

    meter = RiseMeter(objective_of(network, 3), 1)
    meter.learn(Measured(*[[0, 0, 0, 1, 1, 1]] * 3))
    assert meter.objective.risen == ()
    meter.learn(Measured([4, 2, 1], [9, 0.5, 9], [-1, 0.25, 0]))
    assert meter.objective.risen == ((0, 0.5, 0.25), (0.5, 0, 0.5), (0, 0.25, 0))


def test_an_octave_is_measured_every_few_steps_and_without_the_dream_once(
    cat, network, monkeypatch
):
    learned = []
    learn = RiseMeter.learn

    def noted(rises, tally):
        learned.append(len(tally.objectives))
        learn(rises, tally)

    monkeypatch.setattr(RiseMeter, "learn", noted)
    recipe = replace(TWO, octaves=2, steps=2 * MEASURED_EVERY)
    looks.dream_detail(cat, network, recipe, shares=halves())
    both = 4  # levels and their units, of a picture without the dream
    assert learned == [both, 2, both, 2, 2]


@pytest.mark.parametrize("masked", [False, True])
def test_what_is_counted_does_not_depend_on_tiles(cat, network, masked):
    """Each cell is in one block, in whatever order and thread they come."""
    objective, size = objective_of(network), (cat.shape[-2], cat.shape[-1])
    canvas, window = PictureCanvas(*size, 48, (5, 11)), Window(Span(3, 130), Span(8, 190))
    mask = None
    if masked:
        mask = torch.zeros(1, 1, *window.size)
        mask[..., 20:90, 50:140] = 1
    found = []
    for side in (4096, 64, 37):
        tiled = TiledObjective(network, objective, canvas, window, side, mask)
        for _ in (0, 1):
            found.append(RegionTally(objective.parts, objective.shares))
        gradient = torch.zeros(1, 3, *window.size)
        list(replace(tiled, tally=found[-2]).add_gradient(cat, gradient))
        tiled.measure(cat, found[-1])
    cells = [sum(int(some.counts.sum()) for some in tally._noted) for tally in found]
    assert len(set(cells)) == 1
    assert cells[0] == pytest.approx((70 * 90 if masked else window.area) / 16**2, rel=0.2)
    assert all(torch.equal(tally.means(), found[0].means()) for tally in found)
    assert found[0].means()[:, 1].all()


def test_the_mean_of_a_region_is_that_of_its_cells(network):
    """As by hand: shares of one cell each, so that it is known whose cells they are."""
    cells = torch.rand(1, 512, 4, 6, generator=torch.Generator().manual_seed(3))
    part = Objective((WeightedTerm(2.0, 0, 0.5, objectives.ChannelsTerm((9, 30))),))
    squares = Objective((WeightedTerm(1.0, 0, 1.0, objectives.SquaresTerm()),))
    right = torch.arange(6).ge(2).float().expand(1, 1, 4, 6)
    tally = RegionTally([part, squares], ShareMap(torch.cat([1 - right, right], 1), (0, 1)))

    def centres(window):
        rows, columns = (
            (torch.arange(*span).double() + 0.5) / n for span, n in zip(window, (4, 6), strict=True)
        )
        return CellCentres(rows, columns, (4, 6))

    for rows in (Span(0, 1), Span(1, 4)):
        window = Window(rows, Span(0, 6))
        location = MapLocation(window, Window.whole(4, 6), None, centres)
        tally.note([tally.sums(0, cells[window.slices()], location, None)])
    few = [cells[..., :2], cells[..., 2:]]
    expected = [[4 * float(some[:, [9, 30]].mean()), float(some.square().mean())] for some in few]
    assert torch.allclose(tally.means(), torch.tensor(expected).double(), atol=1e-5)


def test_a_kind_is_measured_by_its_energy():
    """Of a spread kind the logarithm is dreamed: it has no ratio, and may be negative."""
    term = KindTerm(torch.tensor([[0]]), torch.zeros(1, 1), torch.ones(1, 1), 0.05)
    (summand,) = level_of(Objective((WeightedTerm(1.0, 0, 1.0, term),))).terms
    cells = torch.full((1, 1, 2, 2), 3.0)
    assert float(summand.term.value(cells, None)) == pytest.approx(4 * 9)
    channels = Objective((WeightedTerm(1.0, 0, 1.0, objectives.ChannelsTerm((0,))),))
    assert level_of(channels) == channels


@pytest.mark.parametrize(
    ("method", "most"), [({"steps": 9}, 0.7), ({"method": "painted", "steps": 3}, 0.85)]
)
def test_what_has_risen_is_held_back(cat, network, monkeypatch, method, most):
    """Over four seeds: what single paintings gain goes up and down by a fifth."""
    monkeypatch.setattr(regional, "CONTRAST", 0.0)
    found = []
    for risen in ((0.0, 0.0), (0.0, 0.0)), ((0.0, 1.0), (1.0, 0.0)):
        monkeypatch.setattr(rises, "_risen", lambda *_, risen=risen: risen)
        gains = [0.0, 0.0]
        for seed in (5, 6, 7, 8):
            recipe = replace(TWO, seed=seed, **method)
            detail = looks.dream_detail(cat, network, recipe, shares=halves())
            for number in (0, 1):
                gains[number] += gain(network, recipe, cat, detail, 1, number) / 4
        found.append(gains)
    without, held_back = found
    assert held_back[0] < most * without[0], found
    assert held_back[1] > 0.7 * without[1] > 1, found


def test_a_painted_region_that_falls_behind_catches_up(cat, network, monkeypatch):
    """A bright and even half changes less for the same gradient."""
    bright = cat.clone()
    bright[..., 100:] = 0.9 + 0.05 * cat[..., 100:]
    recipe = replace(TWO, method="painted", steps=3)
    ratios = {}
    for boost in (1.0, stage_painter.LARGEST_BOOST):
        monkeypatch.setattr(stage_painter, "LARGEST_BOOST", boost)
        detail = looks.dream_detail(bright, network, recipe, shares=halves()).abs()
        ratios[boost] = float(detail[..., 110:].mean() / detail[..., :90].mean())
    assert max(ratios.values()) < 1
    assert ratios[stage_painter.LARGEST_BOOST] > 1.2 * ratios[1.0], ratios
