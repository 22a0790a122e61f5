"""A painting's step as one piece of work is the engine's own step, and a card can record it."""

import pytest
import torch

from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.objectives import binding
from dreamlayer.engine.painting.region import read_region
from dreamlayer.engine.painting.stage_painter import StagePainter
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.geometry import Window
from dreamlayer.networks.executors.cuda.precision import PRECISIONS
from dreamlayer.networks.network import extract
from dreamlayer.runtime.devices import memory
from dreamlink.recipe.recipe import Recipe
from tests.engine.cards import FORBIDDEN, Operations, pretend, with_card
from tests.engine.looks import photo

LAUNCHES, COPIES, RECORDINGS = 200, 4, 1


def painter_of(device="cpu", dtype=torch.float32, precision=None):
    recipe = Recipe.of({"layer": "features.10", "seed": 5, "calm_colours": 0.3})
    network = extract(recipe.model, binding.layer_names(recipe)).to(device, dtype)
    recorder = with_card(network, precision) if precision else None
    vars(network)["largest_area"] = lambda: 1e9
    picture = photo("coffee.png", 150).to(device, dtype)
    size = (picture.shape[-2], picture.shape[-1])
    region = read_region(as_plane(picture), size, Window.whole(*size), None, network.minimum, False)
    objective = binding.bind_recipe(recipe, network, None, None)
    random = torch.Generator().manual_seed(5)
    painter = StagePainter(
        region, None, network, objective, recipe, 1.0, 1.0, random, NanGuard(), 0.1,
        TilePlan(network, 4096),
    )  # fmt: skip
    return painter, recorder


def paint(painter, steps=3):
    return [list(painter.step(done / 10)) for done in range(steps)]


def test_three_whole_steps_are_the_engines_own(monkeypatch):
    monkeypatch.setitem(PRECISIONS, "fp32", torch.float64)
    own, _ = painter_of(dtype=torch.float64)
    before = own.picture()
    assert own._whole is None
    paint(own)
    pretend(monkeypatch)
    whole, recorder = painter_of(dtype=torch.float64, precision="fp32")
    assert paint(whole) == [[1.0]] * 3
    assert recorder.recorded == RECORDINGS
    moved = (own.picture() - before).abs().mean()
    assert moved > 1e-3
    # The spectrum is float32 always.
    assert (own.picture() - whole.picture()).abs().mean() < 1e-5 * moved
    assert whole.nan_guard._values == own.nan_guard._values > 0
    whole.close()
    assert recorder.cleared == 1


def test_a_recorded_step_reads_nothing_back_and_is_few_launches(monkeypatch):
    monkeypatch.setattr(memory, "memory_budget", lambda device: 1e12)
    painter, _ = painter_of("meta", precision="fp16")
    assert paint(painter, 1) == [[1.0]]
    with Operations("meta") as inside:
        painter.network.run_step("never seen", painter._whole._work, 1)
    assert (inside.reads, inside.mixes, inside.copies) == ([], [], [])
    for backend in FORBIDDEN.values():
        assert not inside.formats & set(backend["number formats"])
        assert not set(inside.doubtful) & set(backend["operations"])
    assert sum(inside.launches.values()) <= LAUNCHES
    with Operations("meta") as whole:
        assert paint(painter, 1) == [[1.0]]
    assert (whole.reads, whole.mixes) == ([], [])
    assert 1 <= len(whole.copies) <= COPIES


@pytest.mark.parametrize("limit", ["time", "memory"])
def test_a_step_that_is_too_large_is_painted_in_tiles(monkeypatch, limit):
    own, _ = painter_of()
    paint(own, 2)
    pretend(monkeypatch)
    painter, _ = painter_of(precision="fp32")
    if limit == "time":
        vars(painter.network)["largest_area"] = lambda: 1.0
    else:
        change = type(painter._adam).change

        def full(adam, *given):
            monkeypatch.setattr(type(adam), "change", change)
            raise torch.OutOfMemoryError("CUDA out of memory.")

        monkeypatch.setattr(type(painter._adam), "change", full)
    paint(painter, 2)
    assert painter._whole is None
    # The same views, noise and steps; a choice of a max pool may be another one.
    assert (own.picture() - painter.picture()).abs().mean() < 1e-3
