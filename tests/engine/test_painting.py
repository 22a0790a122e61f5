"""Painted dreams: exact, where they are wanted, and of what is wanted."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.engine import metrics, quick_look
from dreamlayer.engine.dream import dream, dream_sizes
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.engine.painting.stages import PAINTED_SIDE, painting_stages
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine import speckle
from tests.engine.looks import photo
from tests.engine.test_quick_look import details_of_looks, similarity

RECIPE = Recipe.of({"method": "painted", "layer": "features.10", "steps": 2, "seed": 7})


@pytest.fixture(scope="module")
def network():
    return network_for(RECIPE)


@pytest.fixture(scope="module")
def cat():
    return photo("chelsea.png")[..., 60:180, 120:280].clone()


def painted(picture, network, window=None, recipe=RECIPE, **more):
    """The detail of a painted dream, and its progress."""
    dreaming = dream(picture, network, recipe, window or Window.whole(*picture.shape[-2:]), **more)
    progress = []
    while True:
        try:
            progress.append(next(dreaming))
        except StopIteration as end:
            return end.value.detail, progress


def test_the_same_seed_gives_the_same_bytes(cat, network):
    detail, _ = painted(cat, network)
    assert torch.equal(detail, painted(cat, network)[0])
    other, _ = painted(cat, network, recipe=replace(RECIPE, seed=8))
    assert not torch.equal(detail, other)


def test_tiles_and_threads_change_nothing(cat, network):
    detail, _ = painted(cat, network)
    assert torch.equal(detail, painted(cat, network, recipe=replace(RECIPE, tile=48))[0])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(detail, painted(cat, network)[0])
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("shape", [(229, 333), (346, 227)])
def test_no_bit_depends_on_how_many_threads_share_an_operation(shape, network):
    """torch divides more than 32768 numbers among its threads, and rounds some as they end."""
    picture = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(5))
    usual = torch.get_num_threads()
    details = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            details.append(painted(picture, network, recipe=replace(RECIPE, steps=1))[0])
    finally:
        torch.set_num_threads(usual)
    assert torch.equal(details[0], details[1])
    assert torch.equal(details[0], details[2])


@pytest.mark.parametrize("layer", ["features.12:3,70", "class:tabby", "features.9:5@0.5,0.5"])
def test_what_is_wanted_grows(cat, network, layer):
    recipe = replace(RECIPE, layer=layer, steps=4)
    own = network_for(recipe)
    detail, _ = painted(cat, own, recipe=recipe)
    result, window = (cat + detail).clamp(0, 1), Window.whole(*cat.shape[-2:])
    gain = metrics.gain(as_plane(cat), as_plane(result), own, recipe, window, None)
    assert gain is not None
    assert gain > 1.1


def chroma_of(detail):
    """The RMS of a detail's difference from its own grey."""
    return float((detail - detail.mean(dim=1, keepdim=True)).square().mean().sqrt())


def test_a_picture_without_colours_stays_nearly_grey(cat, network):
    grey = cat.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1).clone()
    added = [chroma_of(painted(picture, network)[0]) for picture in (grey, cat)]
    assert 0 < added[0] < added[1] / 3


def test_calm_colours_have_less_coloured_grain(cat, network):
    recipes = [replace(RECIPE, steps=6, calm_colours=calm) for calm in (0.0, 1.0)]
    grains = [speckle.fine_chroma(painted(cat, network, recipe=each)[0]) for each in recipes]
    assert grains[1] < grains[0] / 1.15


def test_only_the_window_is_read_and_changed_where_the_mask_is_not_black(cat, network):
    window = Window(Span(20, 90), Span(30, 110))
    mask = torch.zeros(1, 1, *window.size, dtype=torch.uint8)
    mask[..., 10:50, 15:60] = 1
    detail, _ = painted(cat, network, window, mask=mask)
    assert detail.shape == (1, 3, *window.size)
    assert not detail[:, :, mask[0, 0] == 0].any()
    assert (detail[:, :, mask[0, 0] > 0] != 0).float().mean() > 0.99


def test_surroundings_of_a_selection_are_seen(cat, network):
    window = Window(Span(20, 90), Span(30, 110))
    detail, _ = painted(cat, network, window)
    other = cat.clone()
    other[..., :20, :] = 1 - other[..., :20, :]
    assert not torch.equal(detail, painted(other, network, window)[0])


def test_a_seamless_picture_has_no_seam(cat, network):
    detail, _ = painted(cat, network, recipe=replace(RECIPE, wrap=True))
    inside = (detail[..., 1:] - detail[..., :-1]).abs().mean()
    assert (detail[..., 0] - detail[..., -1]).abs().mean() < 2 * inside


def test_a_film_goes_on_from_the_frame_before(cat, network):
    before, _ = painted(cat, network)
    new = replace(RECIPE, seed=8)
    carried, _ = painted(cat, network, recipe=new, previous_detail=as_plane(before), carry=0.8)
    alone, _ = painted(cat, network, recipe=new)
    assert similarity(carried, before) > max(0.95, similarity(alone, before) + 0.1)


@pytest.mark.parametrize("size", [(20, 400), (17, 19), (300, 60)])
def test_any_shape(network, size):
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    if min(size) < network.minimum:
        with pytest.raises(ValueError, match="too few"):
            painted(picture, network)
        return
    detail, _ = painted(picture, network)
    assert detail.shape == picture.shape
    assert detail.any()


def test_a_large_picture_gets_fine_texture(network):
    picture = photo("coffee.png")[..., 100:150, :].repeat(1, 1, 1, 3)
    recipe = replace(RECIPE, steps=1)
    detail, progress = painted(picture, network, recipe=recipe)
    longer = max(picture.shape[-2:])
    assert longer > PAINTED_SIDE
    assert detail.shape == picture.shape
    assert progress[-1].octave == progress[-1].octaves == len(dream_sizes((50, longer), recipe, 1))
    fractions = [now.fraction for now in progress]
    assert fractions == sorted(fractions)
    # What the painted stages alone can't hold: changes from one pixel to the next.
    alternating = (detail[..., 1:] - detail[..., :-1]).diff(dim=-1).abs().mean()
    assert alternating > 0.001


def test_a_look_predicts_its_dream(cat, network):
    recipe = replace(RECIPE, steps=5)
    looks = details_of_looks(cat, network, recipe)
    dreamt, _ = painted(cat, network, recipe=recipe)
    assert torch.equal(looks[-1], dreamt)
    likenesses = [similarity(look, dreamt) for look in looks[:-1]]
    assert likenesses
    assert likenesses == sorted(likenesses)
    assert likenesses[-1] > 0.6


@pytest.mark.parametrize("longer", [500, 800, 1024, 3000])
def test_a_look_at_a_copy_paints_at_least_two_stages(longer):
    stages = painting_stages(longer, RECIPE)
    looked = quick_look.look_stages((270, 360), RECIPE, longer / 360)
    assert looked == stages[: len(looked)]
    assert len(looked) >= 2


def test_a_look_without_reduction_paints_all_stages():
    assert quick_look.look_stages((300, 400), RECIPE, 1.0) == painting_stages(400, RECIPE)


def test_a_look_at_a_copy_shows_what_its_dream_will_be(network):
    """Nearly as strong, with the same in the same places."""
    recipe = replace(RECIPE, steps=3)
    large = photo("sunset.jpg", 800)
    small = resize.resize(large, (round(large.shape[-2] * 0.45), 360))
    dreamt, _ = painted(large, network, recipe=recipe)
    looking = quick_look.run_quick_look(
        small, network, recipe, Window.whole(*small.shape[-2:]), 800 / 360
    )
    look = finished(looking).detail
    dreamt = resize.resize(dreamt, look.shape[-2:])
    assert look.std() > 0.75 * dreamt.std(), look.std() / dreamt.std()
    assert similarity(look, dreamt) > 0.6


def finished(looking):
    """What a generator returns."""
    while True:
        try:
            next(looking)
        except StopIteration as end:
            return end.value


def test_a_look_at_a_tiny_copy_paints_the_first_stage_as_large_as_may_be():
    stages = painting_stages(800, RECIPE)
    (only,) = quick_look.look_stages((30, 40), RECIPE, 20.0)
    assert only.side == 40 * quick_look.ENLARGED
    assert only.steps == stages[0].steps


@given(st.floats(1, 20000), st.floats(0.25, 4), st.integers(1, 100))
def test_stages_grow_and_larger_things_begin_smaller(longer, size, steps):
    recipe = replace(RECIPE, size=size, steps=steps)
    stages = painting_stages(longer, recipe)
    assert stages[-1].side == min(longer, PAINTED_SIDE)
    sides = [stage.side for stage in stages]
    assert sides == sorted(sides)
    assert sum(stage.steps for stage in stages) == stages[0].total
    larger = painting_stages(longer, replace(recipe, size=min(4, size * 2)))
    assert larger[0].side <= stages[0].side
