"""Overlays: the effect of each live parameter on the pixels."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.compositing import overlay
from dreamlayer.compositing.overlay import Overlay
from dreamlink.picture import CURVES, DEPTHS, ORDERS, Edges, Picture
from dreamlink.recipe.recipe import PARAMETERS, Recipe, RecipeError

TYPES = {"U8": np.uint8, "U16": np.uint16, "F16": np.float16, "F32": np.float32}
OWN = Edges(True, True, True, True)
RECIPE = Recipe(seed=7)
live = st.builds(
    Recipe,
    seed=st.just(7),
    strength=st.floats(0, 2),
    colour=st.sampled_from(PARAMETERS["colour"].choices),
    feather=st.floats(0, 30),
    soft_clip=st.booleans(),
    dither=st.booleans(),
    zero_mean=st.booleans(),
)
layouts = st.builds(
    Picture,
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from(sorted(DEPTHS)),
    st.sampled_from(sorted(ORDERS)),
    st.sampled_from(CURVES),
)


def source_of(layout, seed=0):
    random = np.random.default_rng(seed)
    shape = (layout.height, layout.width, layout.samples)
    if layout.depth.startswith("U"):
        top = np.iinfo(TYPES[layout.depth]).max
        return random.integers(0, top, shape, TYPES[layout.depth], endpoint=True)
    return random.uniform(-0.5, 3, shape).astype(TYPES[layout.depth])


def detail_of(layout, seed=1, size=0.2):
    random = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 3, layout.height, layout.width, generator=random)
    return (noise - 0.5) * 2 * size


def laid(layout, source, dreamt=None, covers=False, mask=None, clip=False, edges=OWN):
    dreamt = detail_of(layout) if dreamt is None else dreamt
    return Overlay(source, layout, dreamt, covers, RECIPE, mask, clip, edges)


def blended(dream, layout, recipe=RECIPE):
    pixels = np.frombuffer(dream.blend(recipe), TYPES[layout.depth])
    return pixels.reshape(layout.height, layout.width, layout.samples)


@given(layouts, live, st.booleans())
def test_strength_zero_is_the_source_bit_for_bit(layout, recipe, covers):
    source = source_of(layout)
    result = blended(laid(layout, source, covers=covers), layout, replace(recipe, strength=0.0))
    assert result.tobytes() == source.tobytes()


@given(layouts, live, st.booleans(), st.integers(0, 9))
def test_outside_the_mask_nothing_changes_with_any_recipe(layout, recipe, covers, seed):
    random = np.random.default_rng(seed)
    mask = random.choice([0, 0, 90, 255], (layout.height, layout.width)).astype(np.uint8)
    source = source_of(layout)
    result = blended(laid(layout, source, covers=covers, mask=mask), layout, recipe)
    assert result[mask == 0].tobytes() == source[mask == 0].tobytes()
    if not covers and "A" in layout.order:
        assert result[..., -1].tobytes() == source[..., -1].tobytes()


@given(st.sampled_from(sorted(DEPTHS)), live)
def test_a_mask_for_the_alpha_does_not_affect_the_colours(depth, recipe):
    layout = Picture(12, 9, depth)
    mask = np.random.default_rng(3).integers(0, 256, (9, 12), np.uint8)
    recipe = replace(recipe, feather=0.0, zero_mean=False)
    source = source_of(layout)
    clipped = blended(laid(layout, source, mask=mask, clip=True), layout, recipe)
    plain = blended(laid(layout, source), layout, recipe)
    assert clipped[..., :3].tobytes() == plain[..., :3].tobytes()
    assert not clipped[mask == 0][:, 3].any()
    assert clipped[mask == 255][:, 3].tobytes() == source[mask == 255][:, 3].tobytes()


def test_a_large_picture_is_blended_like_its_parts(monkeypatch):
    """More pixels than one run, and not a multiple of it."""
    monkeypatch.setattr(overlay, "RUN", 10_000)
    layout, part = Picture(211, 200), Picture(211, 50)
    source, detail = source_of(layout), detail_of(layout)
    recipe = replace(RECIPE, colour="source")
    whole = blended(laid(layout, source, detail), layout, recipe)
    for top in range(0, 200, 50):
        rows = slice(top, top + 50)
        strip = blended(laid(part, source[rows], detail[..., rows, :]), part, recipe)
        assert whole[rows].tobytes() == strip.tobytes()


def test_the_mask_multiplies_the_detail():
    layout = Picture(3, 1)
    detail = torch.full((1, 3, 1, 3), 50 / 255)
    mask = np.array([[0, 51, 255]], np.uint8)
    source = np.full((1, 3, 4), 100, np.uint8)
    result = blended(laid(layout, source, detail, mask=mask), layout, replace(RECIPE, strength=0.5))
    assert result[0, :, 0].tolist() == [100, 105, 125]


# Dither.


def test_dither_preserves_means_between_the_levels(monkeypatch):
    monkeypatch.setattr(overlay, "RUN", 300 * 100)
    layout = Picture(300, 200, "U8", "RGB")
    source = np.full((200, 300, 3), 100, np.uint8)
    detail = torch.full((1, 3, 200, 300), 20.3 / 255)
    plain = blended(laid(layout, source, detail), layout)
    assert (plain == 120).all()
    dithered = blended(laid(layout, source, detail), layout, replace(RECIPE, dither=True))
    assert set(np.unique(dithered)) == {120, 121}
    assert dithered.reshape(-1, 3).mean(axis=0) == pytest.approx(120.3, abs=0.02)
    assert dithered[:100].tobytes() != dithered[100:].tobytes()
    rows = dithered[..., 0].mean(axis=1)
    assert abs(np.corrcoef(rows[1:], rows[:-1])[0, 1]) < 0.3


def test_dither_depends_on_the_seed_and_spares_unchanged_pixels():
    layout = Picture(200, 100)
    source, detail = source_of(layout), detail_of(layout)
    detail[..., 50:, :] = 0
    dithering = replace(RECIPE, dither=True)
    first, again = (blended(laid(layout, source, detail), layout, dithering) for _ in range(2))
    other = Overlay(source, layout, detail, False, Recipe(seed=8), None, False, OWN)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != bytes(other.blend(replace(dithering, seed=8)))
    assert first[50:].tobytes() == source[50:].tobytes()
    plain = blended(laid(layout, source, detail), layout)
    assert np.abs(first.astype(int) - plain).max() == 1


@pytest.mark.parametrize("depth", ["U16", "F16", "F32"])
def test_only_eight_bits_are_dithered(depth):
    layout = Picture(20, 20, depth)
    dream = laid(layout, source_of(layout))
    assert dream.blend(RECIPE) == dream.blend(replace(RECIPE, dither=True))


# Zero mean.


@pytest.mark.parametrize("masked", [False, True])
def test_zero_mean_keeps_the_brightness(masked):
    layout = Picture(160, 150, "F32")
    source = np.full((150, 160, 4), 0.5, np.float32)
    source[..., 3] = 1
    source[:20, :, 3] = 0  # transparent pixels do not count
    detail = detail_of(layout) + torch.tensor([0.1, -0.05, 0.2])[None, :, None, None]
    detail[..., :20, :] = 0.4
    mask = np.full((150, 160), 255, np.uint8)
    mask[:, :80] = 60 if masked else 255
    recipe = replace(RECIPE, zero_mean=True, strength=0.5)
    result = blended(laid(layout, source, detail, mask=mask), layout, recipe)
    changed = (result - source)[20:, :, :3].mean(axis=(0, 1))
    assert np.abs(changed).max() < 1e-4
    assert result[20:].std() > 0.05


# Imagined pictures.


@pytest.mark.parametrize("depth", sorted(DEPTHS))
def test_an_imagined_picture_fills_an_empty_layer(depth):
    layout = Picture(20, 10, depth)
    imagined = detail_of(layout, size=0.4) + 0.5
    source = np.zeros((10, 20, 4), TYPES[depth])
    result = blended(laid(layout, source, imagined, covers=True), layout)
    top = np.iinfo(TYPES[depth]).max if depth.startswith("U") else 1
    assert (result[..., 3] == top).all()
    expected = imagined[0].permute(1, 2, 0).numpy()
    assert np.abs(result[..., :3] / top - expected).max() < 3e-3


def test_strength_mixes_the_imagined_picture_with_the_old_one():
    layout = Picture(2, 1)
    imagined = torch.full((1, 3, 1, 2), 200 / 255)
    source = np.array([[[100, 100, 100, 255], [100, 100, 100, 0]]], np.uint8)
    dream = laid(layout, source, imagined, covers=True)
    half = blended(dream, layout, replace(RECIPE, strength=0.5))
    assert half.tolist() == [[[150, 150, 150, 255], [200, 200, 200, 128]]]
    full = blended(dream, layout)
    assert full.tolist() == [[[200, 200, 200, 255], [200, 200, 200, 255]]]


def test_an_imagined_picture_is_opaque_only_in_the_selection():
    layout = Picture(3, 1)
    imagined = torch.full((1, 3, 1, 3), 0.5)
    mask = np.array([[0, 128, 255]], np.uint8)
    empty = np.zeros((1, 3, 4), np.uint8)
    for clip in (False, True):
        result = blended(laid(layout, empty, imagined, True, mask, clip), layout)
        assert result[0, :, 3].tolist() == [0, 128, 255]


# Feather, and parameters that can't be changed.


def test_a_feathered_selection_fades_inwards_from_its_edges_only():
    layout = Picture(100, 60, "F32", "RGB")
    source = np.full((60, 100, 3), 0.5, np.float32)
    detail = torch.full((1, 3, 60, 100), 0.1)
    edges = Edges(left=True, top=True, right=False, bottom=True)
    dream = laid(layout, source, detail, edges=edges)
    row = blended(dream, layout, replace(RECIPE, feather=20.0))[30, :, 0]
    assert np.allclose(row[:70], 0.6, atol=1e-4)
    assert (np.diff(row[70:]) <= 0).all()
    assert row[99] < 0.501
    assert np.allclose(blended(dream, layout)[30, :, 0], 0.6, atol=1e-4)


@pytest.mark.parametrize(
    "change", [{"steps": 11}, {"layer": "features.9"}, {"seed": 8}, {"start": "noise"}]
)
def test_parameters_that_need_a_new_dream_are_named_in_the_error(change):
    layout = Picture(2, 2)
    dream = laid(layout, source_of(layout))
    with pytest.raises(RecipeError, match=rf"{next(iter(change))}.*dreaming again.*strength"):
        dream.blend(replace(RECIPE, **change))
    assert dream.blend(replace(RECIPE, seed=0)) == dream.blend(RECIPE)  # 0 means any seed


def test_sixteen_bits_of_a_dream_are_enough_for_sixteen_bits_of_a_picture():
    layout = Picture(60, 40, "U16", "RGB")
    source, detail = np.full((40, 60, 3), 32768, np.uint16), detail_of(layout)
    result = blended(laid(layout, source, detail), layout, replace(RECIPE, soft_clip=False))
    exact = np.rint(32768 + detail[0].permute(1, 2, 0).double().numpy() * 65535)
    assert np.abs(result - exact).max() <= 2


def test_nbytes_counts_all_buffers():
    layout = Picture(100, 50)
    dream = laid(layout, source_of(layout))
    assert dream.nbytes == 100 * 50 * (4 + 3 * 2 + 1)


@pytest.mark.parametrize("change", [{}, {"colour": "source"}, {"feather": 12.0}, {"feather": 90.0}])
def test_blending_needs_memory_for_its_result_only(change, monkeypatch):
    """And its feathered mask, which is kept; the rest is processed by runs and bands."""
    monkeypatch.setattr(overlay, "THREADS", 1)  # the peak of two threads is random
    recipe, peaks = replace(RECIPE, dither=True, zero_mean=True, **change), []
    for height in (1000, 2000):
        layout = Picture(1000, height)
        mask = np.full((height, 1000), 255, np.uint8)
        dream = laid(layout, source_of(layout), torch.zeros(1, 3, height, 1000), mask=mask)
        tracemalloc.start()
        dream.blend(recipe)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1e6 * (4 + 1 + 1)
