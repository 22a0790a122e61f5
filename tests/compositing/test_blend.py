"""Blending detail into the source: exact where nothing is added, in range, and colour modes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dreamlayer.compositing.blend import CHROMA_CAP, LEVEL, LUMINANCE, blend
from dreamlink.recipe.recipe import PARAMETERS, Recipe
from tests.engine import looks
from tests.oklab import oklab, srgb

COLOURS = PARAMETERS["colour"].choices
N = 12
planes = hnp.arrays(np.float32, (3, N), elements=st.floats(0, 1, width=32))
wide_planes = hnp.arrays(np.float32, (3, N), elements=st.floats(-0.5, 4, width=32))
details = hnp.arrays(np.float32, (3, N), elements=st.floats(-1, 1, width=32))
recipes = st.builds(Recipe, colour=st.sampled_from(COLOURS), soft_clip=st.booleans())
hard = Recipe(soft_clip=False)


def chroma(colours):
    """Per pixel, the sum of the distances of R, G and B from their grey."""
    return np.abs(colours - LUMINANCE @ colours).sum(axis=0)


def random_planes(seed=0, count=5000, low=0.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, (3, count)).astype(np.float32)


@given(wide_planes, recipes)
def test_pixels_without_detail_are_not_changed(source, recipe):
    detail = np.zeros_like(source)
    detail[:, ::3] = 0.1
    _, changed = blend(source, detail, recipe)
    assert changed.tolist() == [True, False, False] * (N // 3)


@given(wide_planes, details, recipes)
def test_the_result_stays_in_the_wider_of_the_two_ranges(source, detail, recipe):
    """HDR values of the source survive; the dream adds no more of them."""
    result, _ = blend(source, detail, recipe)
    assert (result >= np.minimum(source, 0) - 1e-6).all()
    assert (result <= np.maximum(source, 1) + 1e-6).all()


@pytest.mark.parametrize("recipe", [Recipe(), hard])
def test_source_values_out_of_range_stay_and_can_be_reduced(recipe):
    source = np.repeat(np.array([[-0.4, -0.4, 3.0, 3.0]], np.float32), 3, axis=0)
    detail = np.repeat(np.array([[-0.1, 0.1, 0.1, -0.1]], np.float32), 3, axis=0)
    result, _ = blend(source, detail, recipe)
    assert np.allclose(result, [-0.4, -0.3, 3.0, 2.9], atol=1e-6)


@given(hnp.arrays(np.float32, (1, 4), elements=st.floats(0, 1, width=32)), recipes)
def test_a_grey_source_takes_the_luminance(source, recipe):
    detail = np.repeat(np.array([[0.1], [-0.2], [0.3]], np.float32), 4, axis=1)
    result, _ = blend(source, detail, hard)
    expected = np.clip(source + 0.2126 * 0.1 - 0.7152 * 0.2 + 0.0722 * 0.3, 0, 1)
    assert np.allclose(result, expected, atol=1e-6)
    assert blend(source, detail, recipe)[0].shape == source.shape


# Soft clip.


@given(planes, details, st.sampled_from(COLOURS))
def test_a_soft_clip_makes_no_sample_black_or_white(source, detail, colour):
    result, _ = blend(source, detail, Recipe(colour=colour))
    levels, before = np.rint(result * 255), np.rint(source * 255)
    assert (levels[(before > 0) & (before < 255)] > 0).all()
    assert (levels[(before > 0) & (before < 255)] < 255).all()


@given(planes, details)
def test_a_soft_clip_does_not_affect_values_far_from_the_limits(source, detail):
    result, _ = blend(source, detail, Recipe())
    room = np.where(detail > 0, 1 - LEVEL - source, source - LEVEL)
    far = np.abs(detail) <= room / 2
    assert np.allclose(result[far], (source + detail)[far], atol=1e-6)
    assert (np.abs(result - source) <= np.abs(detail) + 1e-6).all()


@given(st.floats(0, 1, width=32), hnp.arrays(np.float32, 60, elements=st.floats(-1, 1, width=32)))
def test_a_soft_clip_keeps_the_order_of_details(grey, values):
    values = np.sort(values)
    source = np.full((1, 60), grey, np.float32)
    result, _ = blend(source, np.repeat(values[None], 3, axis=0), Recipe())
    assert (np.diff(result[0]) >= -1e-6).all()


@given(hnp.arrays(np.float32, 60, elements=st.floats(0, 1, width=32)), st.floats(-1, 1, width=32))
def test_a_soft_clip_keeps_the_order_of_source_values(greys, value):
    source = np.sort(greys)[None]
    result, _ = blend(source, np.full((3, 60), value, np.float32), Recipe())
    assert (np.diff(result[0]) >= -1e-6).all()


# Colours.


@given(planes, details, st.booleans())
def test_only_luminance_never_strengthens_a_colour(source, detail, soft):
    result, _ = blend(source, detail, Recipe(colour="luminance", soft_clip=soft))
    assert (np.ptp(result, axis=0) <= np.ptp(source, axis=0) + 1e-6).all()


def test_only_luminance_adds_light_and_dark():
    source, detail = random_planes(1, low=0.3, high=0.7), random_planes(2, low=-0.1, high=0.1)
    result, _ = blend(source, detail, Recipe(colour="luminance"))
    assert np.allclose(LUMINANCE @ (result - source), LUMINANCE @ detail, atol=1e-6)
    assert np.allclose(chroma(result), chroma(source), atol=1e-5)


def test_capped_chroma_is_limited_and_otherwise_unchanged():
    source, detail = random_planes(3, low=0.35, high=0.65), random_planes(4, low=-0.15, high=0.15)
    result, _ = blend(source, detail, Recipe(colour="capped", soft_clip=False))
    assert (chroma(result) <= CHROMA_CAP * chroma(source) + 1e-5).all()
    assert np.allclose(LUMINANCE @ (result - source), LUMINANCE @ detail, atol=1e-6)
    weak = chroma(source + detail) <= CHROMA_CAP * chroma(source)
    assert weak.any()
    assert not weak.all()
    assert np.allclose(result[:, weak], (source + detail)[:, weak], atol=1e-6)


def test_a_grey_picture_stays_grey_if_capped():
    source = np.repeat(random_planes(5)[:1], 3, axis=0)
    result, _ = blend(source, random_planes(6, low=-0.3, high=0.3), Recipe(colour="capped"))
    assert np.ptp(result, axis=0).max() < 1e-6


def test_source_colours_take_only_the_lightness_of_the_dream():
    source, detail = random_planes(7, low=0.3, high=0.6), random_planes(8, low=-0.1, high=0.1)
    result, _ = blend(source, detail, Recipe(colour="source", soft_clip=False))
    lightness, a, b = oklab(result.astype(float))
    assert np.allclose(lightness, oklab((source + detail).astype(float))[0], atol=1e-4)
    _, own_a, own_b = oklab(source.astype(float))
    assert np.allclose([a, b], [own_a, own_b], atol=1e-4)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("size", [0.1, 0.3])
@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "china.jpg"])
def test_the_chroma_gates_hold_in_all_colour_modes(name, size, soft):
    """Perceived chroma, on photos, for a stronger and more colourful dream than any network's."""
    photo = looks.photo(name, 256)
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(1))
    noise = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)
    detail = (noise / noise.std() * size)[0].flatten(1).numpy()
    gates = {"full": 9.0, "capped": 1.3, "luminance": 1.05, "source": 1.05}
    for colour, gate in gates.items():
        recipe = Recipe(colour=colour, soft_clip=soft)
        result, _ = blend(photo[0].flatten(1).numpy(), detail, recipe)
        rounded = torch.from_numpy(np.rint(result * 255) / 255).reshape(photo.shape)
        ratio = looks.chroma(rounded) / looks.chroma(photo)
        assert 0.8 < ratio <= gate, (colour, ratio)
        if soft:
            assert looks.clipped(rounded) <= looks.clipped(photo)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
def test_eight_bit_results_equal_the_formulas_in_double_precision(colour, soft):
    source = np.rint(random_planes(9, 20000) * 255) / np.float32(255)
    detail = random_planes(10, 20000, -0.4, 0.4)
    result, _ = blend(source, detail, Recipe(colour=colour, soft_clip=soft))
    exact = reference(source.astype(float), detail.astype(float), colour, soft)
    assert np.abs(np.rint(result * 255) - np.rint(exact * 255)).max() <= 1
    assert np.abs(result - exact).max() < 1e-4


def reference(source, detail, colour, soft):
    """The colour modes by their definitions, in float64."""
    weights = np.array([[0.2126, 0.7152, 0.0722]])
    target = source + detail
    if colour == "luminance":
        target = source + weights @ detail
    elif colour == "capped":
        grey, own = weights @ target, np.abs(source - weights @ source).sum(axis=0)
        size = np.abs(target - grey).sum(axis=0)
        target = grey + (target - grey) * np.minimum(1, CHROMA_CAP * own / np.maximum(size, 1e-12))
    elif colour == "source":
        lightness = oklab(np.clip(target, 0, 1))[0]
        target = np.clip(srgb(np.stack([lightness, *oklab(source)[1:]])), 0, 1)
    if not soft:
        return np.clip(target, 0, 1)
    change = target - source
    room = np.maximum(0, np.where(change > 0, 254 / 255 - source, source - 1 / 255))
    with np.errstate(divide="ignore", invalid="ignore"):
        faded = np.where(np.abs(change) > room / 2, room - (room / 2) ** 2 / np.abs(change), 0)
    size = np.where(np.abs(change) > room / 2, faded, np.abs(change))
    return source + np.sign(change) * size
