"""NaN and infinity in a picture (HDR layers have them): they stay, all other pixels dream."""

from dataclasses import replace

import numpy as np
import pytest

from dreamlayer.compositing import pixels
from dreamlayer.studio.local import LocalStudio
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest

RECIPE = Recipe.of({"octaves": 2, "steps": 2, "seed": 4, "layer": "features.3"})
DTYPES = {"F16": "f2", "F32": "f4"}
WRONG = {  # (row, column): samples R, G, B and what the network sees instead
    (3, 4): ((np.nan, np.nan, np.nan), (0, 0, 0)),
    (20, 30): ((np.inf, 0.5, 0.5), (1, 0.5, 0.5)),
    (20, 31): ((0.25, -np.inf, 0.5), (0.25, 0, 0.5)),
    (39, 47): ((0.25, 0.5, np.nan), (0.25, 0.5, 0)),
}


@pytest.fixture(scope="module")
def studio():
    return LocalStudio()


def picture(depth, curve="srgb"):
    """A picture with non-finite pixels, the same as the network sees it, and their positions."""
    layout = Picture(48, 40, depth, "RGBA", curve)
    right = np.random.default_rng(3).random((40, 48, 4)).astype(DTYPES[depth])
    wrong, where = right.copy(), np.zeros((40, 48), bool)
    for place, (given, seen) in WRONG.items():
        wrong[place][:3], right[place][:3], where[place] = given, seen, True
    return layout, wrong, right, where


def dreamt(studio, layout, raw, **changes):
    request = DreamRequest(replace(RECIPE, **changes), layout, layout.region)
    steps = studio.dream(request, [raw.tobytes()])
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return np.frombuffer(done.value.pixels, raw.dtype).reshape(raw.shape), done.value


@pytest.mark.parametrize("depth", ["F16", "F32"])
@pytest.mark.parametrize("curve", ["srgb", "linear"])
@pytest.mark.parametrize("colour", ["full", "capped", "luminance", "source"])
def test_non_finite_pixels_stay_to_the_bit_and_the_others_dream_as_usual(
    studio, depth, curve, colour
):
    layout, wrong, right, where = picture(depth, curve)
    found, finished = dreamt(studio, layout, wrong, colour=colour, soft_clip=True)
    assert found[where].tobytes() == wrong[where].tobytes()
    assert np.isfinite(found[~where]).all()
    expected, _ = dreamt(studio, layout, right, colour=colour, soft_clip=True)
    rounding = 1e-4 if curve == "linear" else 0  # of the curve at 1, and its consequences
    assert np.abs(found[~where] - expected[~where]).mean() <= rounding
    assert (found[~where] != wrong[~where]).mean() > 0.5
    (note,) = finished.notes
    assert note == "Pixels with invalid values (NaN or infinite) stay as they are: 4."


@pytest.mark.parametrize("changes", [{"zero_mean": True}, {"start": "noise"}, {"feather": 5.0}])
def test_a_non_finite_opacity_stays_too(studio, changes):
    layout, _, right, _ = picture("F32")
    right[5, 6, 3], right[7, 8, 3] = np.nan, np.inf
    found, _ = dreamt(studio, layout, right, **changes)
    assert np.isnan(found[5, 6, 3])
    assert np.isinf(found[7, 8, 3])
    found[5, 6, 3] = found[7, 8, 3] = 1.0
    assert np.isfinite(found).all()
    assert (found[..., :3] != right[..., :3]).mean() > 0.5


def test_integer_pictures_have_no_note_about_non_finite_pixels(studio):
    layout = Picture(48, 40, "U16")
    raw = np.full((40, 48, 4), 65535, "u2")
    _, finished = dreamt(studio, layout, raw)
    assert finished.notes == ()
    assert pixels.count_non_finite(raw, layout) == 0


def test_non_finite_pixels_in_the_guide_are_tolerated(studio):
    layout, _, right, _ = picture("F32")
    guide = Picture(64, 64, "F32", "RGB")
    pattern = np.random.default_rng(5).random((64, 64, 3)).astype("f4")
    pattern[10, 10] = np.nan
    recipe = replace(RECIPE, layer="features.3:guide")
    request = DreamRequest(recipe, layout, layout.region, guide=guide)
    steps = studio.dream(request, [right.tobytes(), pattern.tobytes()])
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found = np.frombuffer(done.value.pixels, "f4")
            break
    assert np.isfinite(found).all()
