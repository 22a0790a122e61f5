"""What has risen in a region of a dream map that another region asked for, and what follows."""

from dataclasses import replace

import pytest
import torch

from dreamlayer.engine.ascent.rises import EVERY, RiseMeter
from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.objectives import regional
from dreamlayer.engine.objectives import terms as objectives
from dreamlayer.engine.objectives.binding import bind, network_for
from dreamlayer.engine.objectives.kind_terms import KindTerm
from dreamlayer.engine.objectives.levels import level_of
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.painting import stage_painter
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


def meter_of(network, base, picture):
    parts = [bind(one.expression, network) for one in TWO.bindings()]
    objective = RegionalObjective.of(parts, halves(), network.scales)
    meter = RiseMeter(objective, network)
    meter.begin(as_plane(base), lambda: as_plane(picture))
    return meter


def test_only_what_has_risen_counts_and_only_where(cat, network):
    """Channel 9 is dreamed everywhere, and taken out again on the right."""
    everywhere = replace(TWO, bind="", layer="10:9")
    dreamed = (cat + looks.dream_detail(cat, network_for(everywhere), everywhere)).clamp(0, 1)
    dreamed[..., 90:] = cat[..., 90:]
    assert meter_of(network, cat, cat).next_objective().risen == ((0, 0), (0, 0))
    (own, other), right = meter_of(network, cat, dreamed).next_objective().risen
    assert own == 0
    assert 0.2 < other <= 1
    assert right == pytest.approx((0, 0), abs=0.1)


def test_all_others_together_are_opposed_no_more_than_as_strongly_as_the_own_objective(network):
    def level(*rises):
        return torch.tensor(rises, dtype=torch.float64)

    parts = [bind(TWO.bindings()[0].expression, network)] * 3
    shares = ShareMap(torch.full((1, 3, 4, 4), 1 / 3), (0, 1, 2))
    objective = RegionalObjective.of(parts, shares, network.scales)
    meter = RiseMeter(objective, network, as_plane(torch.zeros(1, 3, 4, 4)), lambda: None)
    before, units = torch.zeros(3, 3, dtype=torch.float64), torch.ones(3, 3, dtype=torch.float64)
    now = level([4, 2, 1], [9, 0.5, 9], [-1, 0.25, 0])
    found = iter([[before, units], [now]])
    meter._measure = lambda picture, wanted: next(found)
    assert meter.next_objective().risen == ((0, 0.5, 0.25), (0.5, 0, 0.5), (0, 0.25, 0))


def test_the_picture_is_looked_at_every_few_steps(cat, network):
    looked = []
    meter = meter_of(network, cat, cat)
    meter._picture = lambda: looked.append(1) or as_plane(cat)
    for _ in range(2 * EVERY):
        meter.next_objective()
    assert len(looked) == 2


def test_a_kind_is_measured_by_its_energy():
    """Of a spread kind the logarithm is dreamed: it has no ratio, and may be negative."""
    term = KindTerm(torch.tensor([[0]]), torch.zeros(1, 1), torch.ones(1, 1), 0.05)
    (summand,) = level_of(Objective((WeightedTerm(1.0, 0, 1.0, term),))).terms
    cells = torch.full((1, 1, 2, 2), 3.0)
    assert float(summand.term.value(cells, None)) == pytest.approx(4 * 9)
    channels = Objective((WeightedTerm(1.0, 0, 1.0, objectives.ChannelsTerm((0,))),))
    assert level_of(channels) == channels


@pytest.mark.parametrize("method", [{"steps": 5}, {"method": "painted", "steps": 3}])
def test_what_has_risen_is_held_back(cat, network, monkeypatch, method):
    recipe, found = replace(TWO, **method), []
    monkeypatch.setattr(regional, "CONTRAST", 0.0)
    for risen in ((0.0, 0.0), (0.0, 0.0)), ((0.0, 1.0), (1.0, 0.0)):
        monkeypatch.setattr(RiseMeter, "_risen", lambda meter, risen=risen: risen)
        detail = looks.dream_detail(cat, network, recipe, shares=halves())
        found.append([gain(network, recipe, cat, detail, 1, number) for number in (0, 1)])
    without, held_back = found
    assert held_back[0] < 0.7 * without[0], found
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
