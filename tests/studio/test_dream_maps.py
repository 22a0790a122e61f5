"""A dream map: which colours mean what, in any layout, and the pixels that come of it."""

from dataclasses import replace

import numpy as np
import pytest

from dreamlayer.studio.dream_map import read_dream_map
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.source import SourceImage
from dreamlink.picture import Picture, Region
from dreamlink.recipe.bindings import parse_bindings
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.studio.test_studio import finish, random_pixels

BOUND = "#ff0000=3; #00ff00=6:20; #0000ff=6:30"
RED, GREEN, BLUE, PURPLE, WHITE = (
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 0, 128), (255, 255, 255),
)  # fmt: skip
RECIPE = Recipe.of({"octaves": 2, "steps": 2, "seed": 4, "step_size": 8.0, "bind": BOUND})
LAYOUT, REGION = Picture(120, 100), Region(10, 8, 96, 80)


def read(colours, size=None, bound=BOUND, wrap=False, **layout):
    """The map of an array (h, w, 3) of colours."""
    colours = np.asarray(colours, np.uint8)
    layout = Picture(colours.shape[1], colours.shape[0], **{"order": "RGB", **layout})
    return read_dream_map(
        SourceImage(colours, layout), parse_bindings(bound), size or colours.shape[:2], wrap
    )


def row(*colours, width=8, height=6):
    """Upright bands of colours."""
    return np.tile(np.repeat(np.array(colours, np.uint8), width, axis=0), (height, 1, 1))


def test_each_pixel_belongs_to_the_colour_that_it_is_near():
    noisy = row(RED, GREEN, BLUE).astype(int)
    noisy += np.random.default_rng(2).integers(-12, 13, noisy.shape)
    found = read(noisy.clip(0, 255))
    assert found.amount is None
    assert not found.missing
    shares = found.shares.planes[0].numpy()
    for number in range(3):
        assert (shares[number, :, number * 8 : number * 8 + 8] == 1).all()


def test_other_colours_and_transparency_are_nothing():
    found = read(row(RED, WHITE, (200, 200, 0), (0, 0, 0)))
    assert (found.amount[:, :8] == 255).all()
    assert not found.amount[:, 8:].any()
    assert found.shares.planes.shape[1] == 1
    assert [str(binding) for binding in found.missing] == ["#00ff00=6:20", "#0000ff=6:30"]
    assert "#00ff00, #0000ff" in found.note
    opaque = np.dstack([row(RED, GREEN), np.full((6, 16), 255, np.uint8)])
    opaque[:3, :, 3], opaque[3:, :8, 3] = 0, 102
    found = read(opaque, order="RGBA")
    assert not found.amount[:3].any()
    assert set(found.amount[3:, :8].ravel()) == {102}
    assert (found.amount[3:, 8:] == 255).all()


def test_soft_edges_between_two_colours_blend():
    across = np.linspace(0, 1, 64)[None, :, None]
    soft = np.rint(np.array(RED) * (1 - across) + np.array(GREEN) * across)
    found = read(np.tile(soft, (4, 1, 1)))
    assert found.amount is None
    green = found.shares.planes[0, 1, 0].numpy()
    assert (np.diff(green) >= 0).all()
    assert (green[0], green[-1]) == (0, 1)
    assert 20 < ((green > 0) & (green < 1)).sum() < 60
    assert np.diff(green).max() < 0.1
    assert found.shares.planes.sum(dim=1).numpy() == pytest.approx(1, abs=1e-6)


def test_an_unbound_colour_between_two_bound_ones_is_nothing():
    found = read(row(RED, PURPLE, BLUE))
    assert not found.amount[:, 8:16].any()
    bound = read(row(RED, PURPLE, BLUE), bound="#ff0000=3; #800080=6; #0000ff=9")
    assert bound.amount is None
    assert (bound.shares.planes[0, 1, :, 8:16] == 1).all()


@pytest.mark.parametrize("depth", ["U8", "U16", "F16", "F32"])
@pytest.mark.parametrize("curve", ["srgb", "linear"])
def test_the_layout_does_not_matter(depth, curve):
    colours = row(RED, GREEN, BLUE, WHITE)
    kind, top = {"U8": ("u1", 255), "U16": ("<u2", 65535), "F16": ("<f2", 1), "F32": ("<f4", 1)}[
        depth
    ]
    raw = (colours / 255 * top).astype(kind)
    layout = Picture(colours.shape[1], colours.shape[0], depth, "RGB", curve)
    found = read_dream_map(SourceImage(raw, layout), parse_bindings(BOUND), (6, 32), False)
    same = read(colours)
    assert np.array_equal(found.amount, same.amount)
    assert np.array_equal(found.shares.planes, same.shares.planes)


def test_a_map_of_another_size_is_stretched():
    found = read(row(RED, WHITE, width=1, height=1), size=(40, 60))
    assert found.amount.shape == (40, 60)
    assert (found.amount[:, :14] == 255).all()
    assert not found.amount[:, 46:].any()
    large = read(row(RED, GREEN, width=900, height=1500))
    assert max(large.shares.planes.shape[-2:]) <= 1024
    assert large.amount is None


def test_what_is_around_a_region_belongs_to_it():
    found = read(row(WHITE, RED, WHITE, GREEN))
    shares = found.shares.planes[0].numpy()
    assert (shares[0, :, :8] > 0.9).all()
    assert found.shares.planes.sum(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert not found.painted.planes[0, :, :, :8].any()


def test_a_map_without_the_bound_colours_is_refused():
    with pytest.raises(ValueError, match=r"none of the bound colours, #ff0000, .*\.$"):
        read(row(WHITE, PURPLE))


# Dreams.


@pytest.fixture(scope="module")
def studio():
    return LocalStudio()


def asked(**more):
    return DreamRequest(RECIPE, LAYOUT, REGION, dream_map=Picture(96, 80, "U8", "RGB"), **more)


def bands(*colours):
    return row(*colours, width=96 // len(colours), height=80).tobytes()


def result(studio, request, *frames):
    finished, _ = finish(studio, request, *frames)
    return np.frombuffer(bytes(finished.pixels), np.uint8).reshape(80, 96, 4), finished


def source(raw):
    return raw[8:88, 10:106]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("method", ["steps", "painted"])
def test_where_no_colour_is_bound_no_bit_changes(studio, method, quick):
    raw = random_pixels(LAYOUT)
    request = replace(asked(quick=quick), recipe=replace(RECIPE, method=method))
    after, finished = result(studio, request, raw.tobytes(), bands(RED, WHITE, GREEN))
    assert after[:, 32:64].tobytes() == source(raw)[:, 32:64].tobytes()
    assert (after[:, :32] != source(raw)[:, :32]).any()
    assert (after[:, 64:] != source(raw)[:, 64:]).any()
    assert "#0000ff" in finished.notes[0]
    assert bytes(finished.overlay.blend(finished.recipe)) == bytes(finished.pixels)


@pytest.mark.parametrize("method", ["steps", "painted"])
def test_one_colour_that_covers_everything_gives_the_plain_bytes(studio, method):
    raw = random_pixels(LAYOUT).tobytes()
    request = replace(asked(), recipe=replace(RECIPE, method=method))
    bound, _ = result(studio, request, raw, bands(GREEN))
    plain = replace(RECIPE, method=method, bind="", layer="6:20")
    without, _ = result(studio, replace(request, recipe=plain, dream_map=None), raw)
    assert bound.tobytes() == without.tobytes()


def test_feather_softens_the_borders_of_what_is_painted(studio):
    raw = np.full((100, 120, 4), 128, np.uint8)
    raw[..., :3] = np.random.default_rng(3).integers(100, 150, (100, 120, 3))
    changes = []
    for feather in (0.0, 12.0):
        request = replace(asked(), recipe=replace(RECIPE, feather=feather))
        after, _ = result(studio, request, raw.tobytes(), bands(RED, WHITE))
        changes.append(np.abs(after.astype(int) - source(raw))[:, :48].mean(axis=(0, 2)))
    assert changes[1][46:].mean() < changes[0][46:].mean() / 4
    assert changes[1][10:30].mean() > changes[0][10:30].mean() / 2


@pytest.mark.parametrize("clip", [False, True])
def test_it_combines_with_a_mask_and_a_strength_map(studio, clip):
    raw = random_pixels(LAYOUT)
    raw[..., 3] = 255
    mask, strength = np.zeros((80, 96), np.uint8), np.full((80, 96), 255, np.uint8)
    mask[20:60], strength[:40] = 255, 0
    request = replace(asked(mask=True, clip=clip), strength=Picture(96, 80, "U8", "G"))
    frames = (raw.tobytes(), mask.tobytes(), strength.tobytes(), bands(RED, WHITE, BLUE))
    after, _ = result(studio, request, *frames)
    changed = (after[..., :3] != source(raw)[..., :3]).any(axis=-1)
    assert changed[41:59, :32].any()
    assert changed[41:59, 64:].any()
    changed[40:60, :32], changed[40:60, 64:] = False, False
    assert not changed[:60].any() if clip else not changed.any()
    if clip:  # the selection's shape goes into the alpha, the map does not
        assert (after[21:59, :, 3] == 255).all()


def test_the_gain_of_a_map_is_that_of_its_regions(studio):
    _, finished = result(
        studio, asked(gain=True), random_pixels(LAYOUT).tobytes(), bands(RED, BLUE)
    )
    assert finished.gain > 1


@pytest.mark.parametrize(
    ("changes", "with_map", "part"),
    [
        ({}, False, "there is no map"),
        ({"bind": ""}, True, "stands for anything"),
        ({"start": "noise"}, True, "needs a picture"),
        ({"bind": "#ff0000=class:nonsense"}, True, "nonsense"),
        ({"bind": "#ff0000=kind:dogs", "model": "efficientnet-lite0"}, True, "has no kinds"),
        ({"bind": "#ff0000=6:guide"}, True, "guide picture"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_a_sentence(studio, changes, with_map, part):
    request = replace(asked(), recipe=replace(RECIPE, **changes))
    frames = [random_pixels(LAYOUT).tobytes(), bands(RED, GREEN)]
    if not with_map:
        request, frames = replace(request, dream_map=None), frames[:1]
    with pytest.raises(ValueError, match=part) as caught:
        finish(studio, request, *frames)
    assert str(caught.value).endswith(".")
