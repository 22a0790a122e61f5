"""A quick look: coarse octaves first; what it shows predicts the dream."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.engine import quick_look
from dreamlayer.engine.dream import dream
from dreamlayer.engine.image import resize
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine.looks import dream_detail, photo

RECIPE = Recipe.of({"seed": 7})


@pytest.fixture(scope="module")
def network():
    return network_for(RECIPE)


@pytest.fixture(scope="module")
def cat():
    return photo("chelsea.png")[..., :280, 80:440].clone()


def details_of_looks(source, network, recipe, reduced=1.0, window=None, **more):
    """The details of all looks, then that of the final result."""
    size = (source.shape[-2], source.shape[-1])
    steps = quick_look.run_quick_look(
        source, network, recipe, window or Window.whole(*size), reduced, **more
    )
    found, fractions = [], [0.0]
    while True:
        try:
            now = next(steps)
        except StopIteration as end:
            assert fractions == sorted(fractions)
            assert fractions[-1] <= 1.0
            return [*found, end.value.detail]
        fractions.append(now.fraction)
        if isinstance(now, quick_look.QuickLook):
            found.append(now.result.detail)


def similarity(one, other):
    """The cosine of two details, ignoring everything finer than four pixels."""
    small = tuple(side // 4 for side in other.shape[-2:])
    one, other = (resize.resize(detail, small).flatten() for detail in (one, other))
    return float(F.cosine_similarity(one, other, 0))


@given(
    st.integers(200, 768), st.integers(200, 768), st.floats(1.0, 6.0), st.integers(1, 10),
    st.floats(1.2, 2.0), st.integers(0, 1),
)  # fmt: skip
def test_octaves_have_the_same_size_relative_to_the_content_as_the_dreams(
    height, width, reduced, count, scale, above
):
    recipe = Recipe(octaves=count, octave_scale=scale, supersample=above)
    found = quick_look.look_sizes((height, width), recipe, reduced, 60)
    # Relative to the copy:
    parts = [reduced / scale**octave for octave in range(-above, count - above)]
    fitting = [part for part in parts if part < 1 + 1e-6] or [1.0]
    assert len(found) <= len(fitting)
    for ours, part in zip(found[::-1], fitting, strict=False):
        assert ours == pytest.approx((height * part, width * part), abs=2)
    left_out = fitting[len(found) :]
    assert all(min(height, width) * part < 62 for part in left_out)  # too small for the network


def test_the_first_look_is_cheap_and_each_is_better_than_the_one_before():
    size = (512, 768)
    window = Window.whole(*size)
    for recipe in (RECIPE, replace(RECIPE, steps=100), replace(RECIPE, octaves=8)):
        sizes = quick_look.look_sizes(size, recipe, 1.0, 31)
        series = quick_look.plan_looks(sizes, size, window, recipe)
        assert len(series) > 1
        assert series[0].work <= quick_look.FIRST_LOOK_WORK
        for plan, better in pairwise(series):
            assert better.work >= quick_look.WORK_RATIO * plan.work
            assert len(better.sizes) >= len(plan.sizes)
        assert (list(series[-1].sizes), series[-1].steps) == (sizes, recipe.steps)


def test_the_noise_samples_and_a_small_selection_count_as_work():
    size = (512, 768)
    sizes = quick_look.look_sizes(size, RECIPE, 1.0, 31)
    plain = quick_look.plan_looks(sizes, size, Window.whole(*size), RECIPE)
    noisy = replace(RECIPE, noise=0.1, noise_samples=8)
    assert quick_look.plan_looks(sizes, size, Window.whole(*size), noisy)[0].steps < plain[0].steps
    small = Window(Span(0, 128), Span(0, 128))
    assert quick_look.plan_looks(sizes, size, small, RECIPE)[0].steps > plain[0].steps


def test_a_dream_as_cheap_as_a_look_has_a_single_look():
    size = (40, 40)
    recipe = replace(RECIPE, octaves=1, steps=2)
    assert len(quick_look.plan_looks([size], size, Window.whole(*size), recipe)) == 1


def test_the_last_look_at_an_unreduced_picture_is_its_dream(network, cat):
    recipe = replace(RECIPE, octaves=3, steps=3)
    looks = details_of_looks(cat, network, recipe)
    assert torch.equal(looks[-1], dream_detail(cat, network, recipe))
    assert len(looks) > 1
    assert all(
        torch.equal(a, b)
        for a, b in zip(looks, details_of_looks(cat, network, recipe), strict=True)
    )


def test_looks_predict_the_dream(network, cat):
    *looks, full = details_of_looks(cat, network, RECIPE)
    first = similarity(looks[0], full)
    assert first > 0.35
    assert all(similarity(look, full) >= first for look in looks)
    other = dream_detail(cat, network, replace(RECIPE, octaves=1, steps=1, step_size=10.0))
    assert first > similarity(other, full) + 0.2  # as many steps, without the octaves that matter
    assert all(0.25 < float(look.std() / full.std()) < 1.25 for look in looks)


def test_a_reduced_picture_predicts_the_dream_of_the_whole_one(network, cat):
    """Not like a whole picture of that size: its shapes would be twice as large."""
    small = resize.resize(cat, (140, 180)).clamp(0, 1)
    full = resize.resize(dream_detail(cat, network, RECIPE), (140, 180))
    right = details_of_looks(small, network, RECIPE, 2.0)[-1]
    wrong = details_of_looks(small, network, RECIPE, 1.0)[-1]
    assert similarity(right, full) > similarity(wrong, full) + 0.1


def test_looks_support_windows_masks_and_dreams_from_noise(network, cat):
    window = Window(Span(40, 140), Span(60, 200))
    mask = torch.zeros(1, 1, 100, 140)
    mask[..., 50:, :] = 1.0
    recipe = replace(RECIPE, octaves=2, steps=2)
    for look in details_of_looks(cat, network, recipe, window=window, mask=mask):
        assert look.shape[-2:] == (100, 140)
        assert look[..., 50:, :].abs().mean() > 0.003
    noise = replace(recipe, layer="features.10:3", start="noise")
    for look in details_of_looks(cat, network, noise, 1.5, window):
        assert look.shape[-2:] == (100, 140)


def test_stopping_a_look_stops_the_dream(network, cat):
    steps = quick_look.run_quick_look(cat, network, RECIPE, Window.whole(280, 360))
    next(steps)
    steps.close()
    assert list(steps) == []


def test_the_sizes_argument_sets_the_octaves_of_a_dream(network, cat):
    steps = dream(
        cat, network, replace(RECIPE, steps=1), Window.whole(280, 360), sizes=[(100, 129)]
    )
    seen = list(steps)
    assert (seen[0].octave, seen[0].octaves) == (1, 1)
    assert seen[-1].picture().shape[-2:] == (100, 129)
