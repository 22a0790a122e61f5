"""Live pixels: the dream as if it ended there, only on request."""

from dataclasses import replace

import numpy as np
import pytest

from dreamlayer.studio import inputs
from dreamlayer.studio.local import LocalStudio
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest

RECIPE = Recipe.of({"octaves": 3, "steps": 2, "seed": 4, "layer": "features.3"})
LAYOUT, REGION = Picture(96, 80), Region(8, 4, 70, 60)


@pytest.fixture(scope="module")
def studio():
    return LocalStudio()


def pixels_of(layout):
    return np.random.default_rng(1).integers(0, 256, layout.nbytes, np.uint8).tobytes()


def live(studio, request, *frames):
    """The result, and all pixels so far, made when they are offered."""
    steps, seen = studio.dream(request, frames), []
    while True:
        try:
            now = next(steps)
        except StopIteration as done:
            return done.value.pixels, seen
        if now.live is not None:
            seen.append((now.octave, np.frombuffer(bytes(now.live()), np.uint8)))


def test_each_octave_but_the_last_is_shown_laid_over_the_picture(studio):
    request = DreamRequest(RECIPE, LAYOUT, REGION, live=True)
    raw = pixels_of(LAYOUT)
    result, seen = live(studio, request, raw)
    assert [octave for octave, _ in seen] == [1, 2]
    source = np.frombuffer(raw, np.uint8).reshape(80, 96, 4)[4:64, 8:78]
    changes = []
    for _, data in seen:
        shown = data.reshape(60, 70, 4)
        assert np.array_equal(shown[..., 3], source[..., 3])
        changes.append(np.abs(shown.astype(int) - source).mean())
    final = np.frombuffer(bytes(result), np.uint8).reshape(60, 70, 4)
    assert 0 < changes[0] < changes[1] < np.abs(final.astype(int) - source).mean()


def test_showing_pixels_does_not_change_the_dream(studio):
    request = DreamRequest(RECIPE, LAYOUT, REGION)
    raw = pixels_of(LAYOUT)
    plain, nothing = live(studio, request, raw)
    shown, seen = live(studio, replace(request, live=True), raw)
    assert bytes(plain) == bytes(shown)
    assert nothing == []
    assert len(seen) == 2


@pytest.mark.parametrize("clip", [False, True])
def test_the_mask_applies_to_live_pixels(studio, clip):
    request = DreamRequest(RECIPE, LAYOUT, REGION, mask=True, clip=clip, live=True)
    mask = np.zeros((60, 70), np.uint8)
    mask[10:40, 20:50] = 255
    raw = pixels_of(LAYOUT)
    source = np.frombuffer(raw, np.uint8).reshape(80, 96, 4)[4:64, 8:78]
    _, seen = live(studio, request, raw, mask.tobytes())
    for _, data in seen:
        shown = data.reshape(60, 70, 4)
        assert (shown[mask > 0] != source[mask > 0]).any()
        if clip:
            assert not shown[mask == 0][:, 3].any()
        else:
            assert np.array_equal(shown[mask == 0], source[mask == 0])


@pytest.mark.parametrize("change", [{"supersample": 1}, {"wrap": True}])
def test_octaves_above_the_picture_and_seamless_ones_are_shown(studio, change):
    request = DreamRequest(replace(RECIPE, **change), LAYOUT, LAYOUT.region, live=True)
    _, seen = live(studio, request, pixels_of(LAYOUT))
    assert len(seen) == 2
    assert all(len(data) == LAYOUT.nbytes for _, data in seen)


def test_live_pixels_of_a_dream_from_noise_are_opaque(studio):
    layout = Picture(640, 16)  # larger than what is imagined, so that an octave follows
    recipe = replace(RECIPE, start="noise", octaves=2, octave_scale=1.1, steps=1, supersample=1)
    request = DreamRequest(recipe, layout, layout.region, live=True)
    _, seen = live(studio, request, bytes(layout.nbytes))
    assert seen
    for _, data in seen:
        assert (data.reshape(16, 640, 4)[..., 3] == 255).all()


def test_looks_of_a_quick_dream_are_live_at_full_size(studio):
    request = DreamRequest(replace(RECIPE, steps=12), LAYOUT, REGION, live=True, quick=True)
    result, seen = live(studio, request, pixels_of(LAYOUT))
    assert seen
    assert all(len(data) == len(result) for _, data in seen)


def test_a_large_region_has_no_live_pixels(studio, monkeypatch):
    monkeypatch.setattr(inputs, "LIVE_MAX", REGION.width * REGION.height - 1)
    _, seen = live(studio, DreamRequest(RECIPE, LAYOUT, REGION, live=True), pixels_of(LAYOUT))
    assert seen == []
