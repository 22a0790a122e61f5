"""A step as one piece of work is the engine's own step, and a card can record it.

There is no card: tensors of the CPU that are treated as a card's give the numbers, tensors without
memory ("meta") show what would be read back, copied or launched.
"""

from dataclasses import replace

import pytest
import torch

from dreamlayer.engine.ascent.ascent import Ascent, StepSetting
from dreamlayer.engine.ascent.octave_steps import OctaveSteps
from dreamlayer.engine.dream import dream_sizes
from dreamlayer.engine.image.planes import as_plane, as_stored_plane
from dreamlayer.engine.objectives import binding
from dreamlayer.engine.tiling import tile_size
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.geometry import Span, Window
from dreamlayer.networks.executors.cuda.precision import PRECISIONS
from dreamlayer.networks.network import extract
from dreamlayer.runtime.devices import memory
from dreamlink.recipe.recipe import Recipe
from tests.engine.cards import FORBIDDEN, Operations, pretend, with_card
from tests.engine.looks import photo, run_dream

WAYS = {
    "plain": {},
    "masked": {"mask": True},
    "part": {"window": Window(Span(20, 100), Span(33, 150))},
    "noisy": {"noise": 0.1, "noise_samples": 1},
    "noisier": {"noise": 0.1, "noise_samples": 3},
    "laplacian": {"conditioning": "laplacian"},
    "spectral": {"conditioning": "spectral"},
    "calm": {"calm_colours": 0.6},
    "regularised": {"tv": 0.3, "stay": 0.4},
    "sharp": {"smooth": 0.0, "roll": False},
    "channels": {"layer": "features.8:3,7 + 0.5*features.10:7 - features.6:direction(3 7=0.5)"},
}
LAUNCHES = {"channels": 260}  # three layers: so many ends; else
MOST_LAUNCHES = 200
COPIES = 4  # small ones, from the computer's memory to the card
RECORDINGS = 2  # an octave


def ascent_of(recipe, device="cpu", dtype=torch.float32):
    network = extract(recipe.model, binding.layer_names(recipe)).to(device, dtype)
    objective = binding.bind_recipe(recipe, network, None, None)
    plan = TilePlan(network, 4096)
    return Ascent(network, objective, recipe, plan, torch.Generator().manual_seed(3))


def setting(way, device="cpu", side=192, dtype=torch.float32):
    values = dict(WAYS[way])
    window, mask = values.pop("window", None), values.pop("mask", False)
    recipe = Recipe.of({"layer": "features.10", "seed": 3, **values})
    x = photo("chelsea.png", side)
    window = window or Window.whole(*x.shape[-2:])
    weights = None
    if mask:
        weights = torch.zeros(1, 1, *window.size, dtype=torch.uint8)
        weights[..., 20:90, 30:140] = 255
        weights[..., 40:60, 30:140] = 99
        weights = as_stored_plane(weights.to(device))
    x = x.to(device, dtype)
    return recipe, StepSetting(as_stored_plane(x.clone()), as_plane(x), window, weights, 0.7)


def run(steps) -> None:
    for _ in steps:
        pass


@pytest.mark.parametrize("way", WAYS)
def test_three_whole_steps_are_the_engines_own(monkeypatch, way):
    # In float64, as rounding would flip a choice of a max pool and so change the dream.
    recipe, own = setting(way, dtype=torch.float64)
    ascent = ascent_of(recipe, dtype=torch.float64)
    before = own.x.storage.clone()
    for _ in range(3):
        run(ascent.tiled_step(own, ascent.draw(own)))
    pretend(monkeypatch)
    monkeypatch.setitem(PRECISIONS, "fp32", torch.float64)
    _, whole = setting(way, dtype=torch.float64)
    ascent = ascent_of(recipe, dtype=torch.float64)
    recorder = with_card(ascent.network)
    monkeypatch.setattr(ascent.network._executor, "largest_area", lambda: 1e9)
    steps = OctaveSteps(ascent, whole)
    for _ in range(3):
        assert list(steps.step()) == [1.0]
    assert recorder.recorded == 1
    moved = (own.x.storage - before).abs().mean()
    assert moved > 1e-3
    assert (own.x.storage - whole.x.storage).abs().mean() < 1e-5 * moved


@pytest.mark.parametrize("way", [way for way in WAYS if way != "noisier"])
@pytest.mark.parametrize("side", [160, 400])
def test_a_recorded_step_reads_nothing_back_and_is_few_launches(monkeypatch, way, side):
    monkeypatch.setattr(memory, "memory_budget", lambda device: 1e12)
    recipe, there = setting(way, "meta", side)
    ascent = ascent_of(recipe, "meta")
    with_card(ascent.network, "fp16")
    steps = OctaveSteps(ascent, there)
    vars(ascent.network)["_executor"].largest_area = lambda: 1e9
    assert list(steps.step()) == [1.0]
    ((_, work),) = steps._works.values()
    with Operations("meta") as inside:
        ascent.network.run_step("never seen", work, 1)
    assert (inside.reads, inside.mixes, inside.copies) == ([], [], [])
    assert torch.float16 in inside.formats
    for backend in FORBIDDEN.values():
        assert not inside.formats & set(backend["number formats"])
        assert not set(inside.doubtful) & set(backend["operations"])
    assert sum(inside.launches.values()) <= LAUNCHES.get(way, MOST_LAUNCHES)
    with Operations("meta") as whole:
        assert list(steps.step()) == [1.0]
    assert (whole.reads, whole.mixes) == ([], [])
    assert 1 <= len(whole.copies) <= COPIES


def test_a_step_copies_no_window_onto_itself(monkeypatch):
    """The picture and the gradient are shifted once each; what is whole is taken as it is."""
    monkeypatch.setattr(memory, "memory_budget", lambda device: 1e12)
    recipe, there = setting("sharp", "meta", 192)
    ascent = ascent_of(replace(recipe, calm_colours=0.0), "meta")
    with_card(ascent.network, "fp16")
    steps = OctaveSteps(ascent, there)
    vars(ascent.network)["_executor"].largest_area = lambda: 1e9
    run(steps.step())
    ((_, work),) = steps._works.values()
    with Operations("meta") as inside:
        ascent.network.run_step("never seen", work, 1)
    assert inside.launches["index_select"] == 4  # rows and columns, there and back
    assert inside.launches["clone"] <= 2  # of the picture and the map's gradient, to another layout


@pytest.mark.parametrize("conditioning", ["plain", "laplacian"])
def test_a_class_is_dreamed_without_a_copy_a_strip(monkeypatch, conditioning):
    """In tiles, as it needs the whole map: still nothing is read back, however large it is."""
    monkeypatch.setattr(memory, "memory_budget", lambda device: 1e12)
    counts = []
    for side in (192, 400):
        _, there = setting("plain", "meta", side)
        recipe = Recipe.of({"layer": "class:castle", "seed": 3, "conditioning": conditioning})
        ascent = ascent_of(recipe, "meta")
        with_card(ascent.network, "fp16")
        executor = vars(ascent.network)["_executor"]
        executor.largest_area, executor._work = lambda: 1e9, None
        run(ascent.tiled_step(there, ascent.draw(there)))  # sends matrices of filters, once
        with Operations("meta") as inside:
            run(ascent.tiled_step(there, ascent.draw(there)))
        assert (inside.reads, inside.mixes) == ([], [])
        assert len(inside.copies) <= COPIES
        for backend in FORBIDDEN.values():
            assert not inside.formats & set(backend["number formats"])
            assert not set(inside.doubtful) & set(backend["operations"])
        counts.append(sum(inside.launches.values()))
    assert abs(counts[0] - counts[1]) <= 4  # cells at a map's edges may be cut out or not


def test_an_octave_is_recorded_twice_at_most(monkeypatch):
    pretend(monkeypatch)
    recipe, there = setting("plain")
    recipe = replace(recipe, layer="features.3")  # a small field: cells depend on the shift
    ascent = ascent_of(recipe)
    recorder = with_card(ascent.network)
    steps = OctaveSteps(ascent, there)
    for _ in range(20):
        assert list(steps.step()) == [1.0]
    assert 1 <= recorder.recorded <= RECORDINGS
    assert recorder.replayed >= 12
    steps.close()
    assert recorder.cleared >= 1


def test_a_step_that_does_not_fit_is_taken_in_tiles(monkeypatch):
    pretend(monkeypatch)
    recipe, there = setting("plain")
    ascent = ascent_of(recipe)
    with_card(ascent.network)
    full = torch.OutOfMemoryError("CUDA out of memory.")
    before, follow = there.x.storage.clone(), Ascent.follow
    calls = []

    def failing(*given):
        calls.append(given)
        if len(calls) == 1:
            raise full
        follow(*given)

    monkeypatch.setattr(Ascent, "follow", failing)
    steps = OctaveSteps(ascent, there)
    assert len(list(steps.step())) == 1
    assert not torch.equal(there.x.storage, before)
    run(steps.step())
    assert len(calls) == 3
    assert not steps._whole


@pytest.mark.parametrize(
    "values", [{"wrap": True}, {"layer": "features.10:3@0.5,0.5"}, {"layer": "class:castle"}]
)
def test_what_depends_on_the_place_is_dreamed_in_tiles(monkeypatch, values):
    pretend(monkeypatch)
    recipe = Recipe.of({"layer": "features.10", "seed": 3, **values})
    _, there = setting("plain")
    assert not OctaveSteps(ascent_of(recipe), there)._whole
    assert OctaveSteps(ascent_of(setting("plain")[0]), there)._whole


def test_on_the_cpu_steps_are_taken_in_tiles():
    recipe, there = setting("plain")
    assert not OctaveSteps(ascent_of(recipe), there)._whole


def test_the_clock_limits_what_is_one_piece_of_work(monkeypatch):
    pretend(monkeypatch)
    recipe, there = setting("noisier")
    ascent = ascent_of(recipe)
    with_card(ascent.network)
    steps = OctaveSteps(ascent, there)
    area = there.x.shape[-1] * there.x.shape[-2]
    monkeypatch.setattr(type(ascent.network), "largest_area", lambda network: 2.0 * area)
    assert len(list(steps.step())) == 3  # each of its gradients by itself
    monkeypatch.setattr(type(ascent.network), "largest_area", lambda network: 9.0 * area)
    assert list(steps.step()) == [1.0]


@pytest.mark.parametrize(
    "values",
    [
        {"wrap": True, "tv": 0.3, "stay": 0.2},
        {"wrap": True, "conditioning": "laplacian"},
        {"wrap": True, "conditioning": "spectral", "calm_colours": 0.4},
        {"layer": "class:castle", "noise": 0.05},
    ],
)
def test_steps_in_tiles_are_the_same_on_a_card(monkeypatch, values):
    """Also of seamless pictures, whose borders are the opposite edges."""
    recipe = Recipe.of({"layer": "features.10", "seed": 3, **values})
    pictures = []
    for on_card in (False, True):
        if on_card:
            pretend(monkeypatch)
        _, there = setting("plain", side=128, dtype=torch.float64)
        ascent = replace(ascent_of(recipe, dtype=torch.float64), side=64)
        for _ in range(2):
            run(OctaveSteps(ascent, there).step())
        pictures.append(there.x.storage)
    moved = (pictures[0] - there.base.storage).abs().mean()
    assert moved > 1e-3
    assert (pictures[0] - pictures[1]).abs().mean() < 1e-5 * moved


@pytest.mark.parametrize("method", ["steps", "painted"])
def test_a_dream_is_recorded_twice_an_octave_at_most(monkeypatch, method):
    """And all steps but the first of each kind are replayed."""
    pretend(monkeypatch)
    monkeypatch.setattr(tile_size, "side", lambda *_: 4096)  # no passes that are measured
    more = {"octaves": 3, "steps": 4} if method == "steps" else {"steps": 2}
    recipe = Recipe.of({"layer": "features.10", "seed": 3, "method": method, **more})
    network = extract(recipe.model, binding.layer_names(recipe))
    recorder = with_card(network)
    vars(network)["largest_area"] = lambda: 1e9  # the CPU takes longer than a card may
    picture = photo("chelsea.png", 170)
    result = run_dream(picture, network, recipe)
    octaves = len(dream_sizes((picture.shape[-2], picture.shape[-1]), recipe, network.minimum))
    assert octaves <= recorder.recorded <= RECORDINGS * octaves
    assert recorder.replayed >= (recipe.steps - 2) * octaves
    assert float(result.detail.abs().mean()) > 1e-3
    assert result.non_finite_share == 0.0
