"""A strength map: how strongly each pixel dreams, in any layout, in the dream and in each blend."""

from dataclasses import replace

import numpy as np
import pytest

from dreamlayer.compositing.pixels import view
from dreamlayer.studio.inputs import brightness
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.source import SourceImage
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.studio.test_studio import Counted, finish, random_pixels

RECIPE = Recipe.of({"octaves": 2, "steps": 2, "seed": 4, "layer": "features.3", "step_size": 8.0})
LAYOUT, REGION = Picture(120, 100), Region(10, 8, 96, 80)
MAP = Picture(96, 80, "U8", "G")


@pytest.fixture(scope="module")
def studio():
    return LocalStudio()


def shaded():
    """Black on the left, half in the middle, white on the right."""
    strength = np.zeros((80, 96), np.uint8)
    strength[:, 32:64], strength[:, 64:] = 128, 255
    return strength


def asked(**more):
    return DreamRequest(RECIPE, LAYOUT, REGION, strength=MAP, **more)


def result(studio, request, *frames):
    finished, _ = finish(studio, request, *frames)
    return np.frombuffer(bytes(finished.pixels), np.uint8).reshape(80, 96, 4), finished


def source(raw):
    return raw[8:88, 10:106]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("start", ["picture", "noise"])
def test_where_the_map_is_black_no_bit_changes(studio, quick, start):
    raw = random_pixels(LAYOUT)
    request = asked(quick=quick)
    request = replace(request, recipe=replace(RECIPE, start=start))
    after, finished = result(studio, request, raw.tobytes(), shaded().tobytes())
    assert after[:, :32].tobytes() == source(raw)[:, :32].tobytes()
    assert (after[:, 32:] != source(raw)[:, 32:]).any()
    again = finished.overlay.blend(replace(finished.recipe, strength=2.0, zero_mean=True))
    again = np.frombuffer(bytes(again), np.uint8).reshape(80, 96, 4)
    assert again[:, :32].tobytes() == source(raw)[:, :32].tobytes()
    assert bytes(finished.overlay.blend(finished.recipe)) == bytes(finished.pixels)


def test_grey_scales_the_detail(studio):
    raw = np.full((100, 120, 4), 128, np.uint8)
    raw[..., :3] = np.random.default_rng(3).integers(100, 150, (100, 120, 3))
    full = np.full((80, 96), 255, np.uint8)
    half = np.full((80, 96), 128, np.uint8)
    recipe = replace(RECIPE, soft_clip=False, colour="full")
    changes = []
    for strength in (full, half):
        request = replace(asked(), recipe=recipe)
        after, _ = result(studio, request, raw.tobytes(), strength.tobytes())
        changes.append(after.astype(int) - source(raw))
    assert np.abs(changes[0]).mean() > 4
    assert np.abs(changes[1] - changes[0] / 2).max() <= 1


def test_a_white_map_equals_no_map(studio):
    raw, white = random_pixels(LAYOUT), np.full((80, 96), 255, np.uint8)
    with_map, _ = result(studio, asked(), raw.tobytes(), white.tobytes())
    without, _ = result(studio, replace(asked(), strength=None), raw.tobytes())
    assert np.abs(with_map.astype(int) - without).max() <= 1


def test_nothing_is_computed_where_it_is_black(studio, monkeypatch):
    counted = Counted(monkeypatch)
    large, region = Picture(640, 640), Region(0, 0, 640, 640)
    raw = random_pixels(large).tobytes()
    strength = np.zeros((640, 640), np.uint8)
    strength[300:340, 300:340] = 90
    request = DreamRequest(replace(RECIPE, octaves=1, tile=128), large, region)
    everywhere, _ = counted.of(studio, request, raw)
    request = replace(request, strength=Picture(640, 640, "U8", "G"))
    there, _ = counted.of(studio, request, raw, strength.tobytes())
    assert there < everywhere / 4


@pytest.mark.parametrize("clip", [False, True])
def test_it_combines_with_a_feathered_mask(studio, clip):
    raw = random_pixels(LAYOUT)
    raw[..., 3] = 255
    mask = np.zeros((80, 96), np.uint8)
    mask[20:60] = 255
    request = replace(asked(mask=True, clip=clip), recipe=replace(RECIPE, feather=6.0))
    after, _ = result(studio, request, raw.tobytes(), mask.tobytes(), shaded().tobytes())
    assert after[:, :32, :3].tobytes() == source(raw)[:, :32, :3].tobytes()
    assert (after[30:50, 64:, :3] != source(raw)[30:50, 64:, :3]).any()
    if clip:  # the selection's shape goes into the alpha, the map does not
        assert (after[40, 8:-8, 3] == 255).all()
        assert not after[:20, :, 3].any()
    else:
        assert after[:20].tobytes() == source(raw)[:20].tobytes()


def test_its_frame_precedes_the_guide(studio):
    guide = Picture(40, 30, "U8", "RGB")
    request = replace(asked(), recipe=replace(RECIPE, layer="features.3:guide"), guide=guide)
    raw = random_pixels(LAYOUT)
    stripes = np.full((30, 40, 3), 40, np.uint8)
    stripes[:, ::4] = 200
    after, _ = result(studio, request, raw.tobytes(), shaded().tobytes(), stripes.tobytes())
    assert after[:, :32].tobytes() == source(raw)[:, :32].tobytes()
    assert (after[:, 64:] != source(raw)[:, 64:]).any()


def test_a_black_strength_map_is_refused(studio):
    with pytest.raises(ValueError, match="strength map is black"):
        finish(studio, asked(), random_pixels(LAYOUT).tobytes(), bytes(96 * 80))


def test_a_mask_and_a_map_that_do_not_overlap_are_refused(studio):
    mask, strength = np.zeros((80, 96), np.uint8), np.zeros((80, 96), np.uint8)
    mask[:40], strength[40:] = 255, 255
    frames = (random_pixels(LAYOUT).tobytes(), mask.tobytes(), strength.tobytes())
    with pytest.raises(ValueError, match="do not overlap"):
        finish(studio, asked(mask=True), *frames)


def test_a_kept_dream_counts_its_map(studio):
    raw = random_pixels(LAYOUT).tobytes()
    _, plain = result(studio, replace(asked(), strength=None), raw)
    _, mapped = result(studio, asked(), raw, shaded().tobytes())
    assert mapped.overlay.nbytes == plain.overlay.nbytes + 80 * 96


# Brightness, in every layout.


@pytest.mark.parametrize("order", ["RGBA", "BGRA", "RGB", "GA", "G"])
@pytest.mark.parametrize("depth", ["U8", "U16", "F16", "F32"])
@pytest.mark.parametrize("curve", ["srgb", "linear"])
def test_white_is_255_and_black_or_transparent_is_0(order, depth, curve):
    layout = Picture(3, 1, depth, order, curve)
    kind = {"U8": "<u1", "U16": "<u2", "F16": "<f2", "F32": "<f4"}[depth]
    top = np.iinfo(kind).max if depth.startswith("U") else 1
    raw = np.full((1, 3, layout.samples), top, kind)
    raw[0, 1] = 0
    expected = [255, 0, 255]
    if "A" in order:
        raw[0, 2, -1], expected = 0, [255, 0, 0]
    assert brightness(SourceImage(view(raw.tobytes(), layout), layout))[0].tolist() == expected


def test_brightness_is_luminance_and_nan_counts_as_black():
    layout = Picture(4, 1, "F32", "RGB")
    raw = np.array([[[1, 0, 0], [0, 1, 0], [np.nan, np.inf, 2], [0.5, 0.5, 0.5]]], "<f4")
    assert brightness(SourceImage(raw, layout))[0].tolist() == [54, 182, 201, 128]
    grey = Picture(256, 1, "U8", "G")
    values = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    assert brightness(SourceImage(values, grey))[0].tolist() == list(range(256))
