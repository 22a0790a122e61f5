"""The studio: what comes back for what was asked, with the real network on small pictures."""

from dataclasses import replace

import numpy as np
import pytest

from dreamlayer.studio import Studio
from dreamlink.messages import DreamRequest
from dreamlink.picture import Picture, Region
from dreamlink.recipe import Recipe

QUICK = Recipe.of({"octaves": 1, "steps": 1, "seed": 4})


@pytest.fixture(scope="module")
def studio():
    return Studio()


def finish(studio, request, *frames):
    steps, seen = studio.dream(request, frames), []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as done:
            return done.value, seen


def random_pixels(layout):
    rng = np.random.default_rng(1)
    size = (layout.height, layout.width, layout.samples)
    if layout.depth.startswith("U"):
        return rng.integers(0, 256, size).astype({"U8": "u1", "U16": "u2"}[layout.depth])
    return rng.random(size).astype({"F16": "f2", "F32": "f4"}[layout.depth])


@pytest.mark.parametrize("depth", ["U8", "U16", "F16", "F32"])
@pytest.mark.parametrize("order", ["RGBA", "BGRA", "RGB", "GA", "G"])
def test_every_layout_is_dreamed_and_keeps_its_alpha(studio, depth, order):
    layout = Picture(48, 40, depth, order, "linear" if depth != "U8" else "srgb")
    raw = random_pixels(layout)
    finished, _ = finish(studio, DreamRequest(QUICK, layout, layout.region), raw.tobytes())
    result = np.frombuffer(finished.pixels, raw.dtype).reshape(raw.shape)
    assert len(finished.pixels) == layout.nbytes
    if order in ("RGBA", "BGRA", "GA"):
        assert np.array_equal(result[..., -1], raw[..., -1])
    assert (result != raw).any()


def test_the_order_of_the_channels_does_not_matter_to_the_dream(studio):
    rgba = Picture(40, 40)
    raw = random_pixels(rgba)
    straight, _ = finish(studio, DreamRequest(QUICK, rgba, rgba.region), raw.tobytes())
    bgra = replace(rgba, order="BGRA")
    swapped, _ = finish(
        studio, DreamRequest(QUICK, bgra, bgra.region), raw[..., [2, 1, 0, 3]].tobytes()
    )
    again = np.frombuffer(swapped.pixels, np.uint8).reshape(raw.shape)[..., [2, 1, 0, 3]]
    assert again.tobytes() == straight.pixels


def test_only_the_region_comes_back_and_the_mask_is_kept(studio):
    layout, region = Picture(90, 80), Region(30, 20, 40, 36)
    raw = random_pixels(layout)
    source = raw[20:56, 30:70]
    mask = np.zeros((36, 40), np.uint8)
    mask[10:20, 10:30] = 255
    request = DreamRequest(QUICK, layout, region, mask=True)
    finished, _ = finish(studio, request, raw.tobytes(), mask.tobytes())
    result = np.frombuffer(finished.pixels, np.uint8).reshape(36, 40, 4)
    assert np.array_equal(result[mask == 0], source[mask == 0])
    assert (result[mask > 0] != source[mask > 0]).any()
    assert np.array_equal(result[..., 3], source[..., 3])

    clipping = replace(request, clip=True)
    finished, _ = finish(studio, clipping, raw.tobytes(), mask.tobytes())
    result = np.frombuffer(finished.pixels, np.uint8).reshape(36, 40, 4)
    assert not result[mask == 0][:, 3].any()
    assert np.array_equal(result[mask > 0][:, 3], source[mask > 0][:, 3])


def test_the_surroundings_are_seen(studio):
    """What lies around the region changes the dream in it."""
    layout, region = Picture(120, 120), Region(40, 40, 40, 40)
    raw = random_pixels(layout)
    other = raw.copy()
    other[:40] = 128
    request = DreamRequest(QUICK, layout, region)
    assert (
        finish(studio, request, raw.tobytes())[0].pixels
        != finish(studio, request, other.tobytes())[0].pixels
    )


def test_the_report_says_what_was_done(studio):
    layout = Picture(64, 48)
    request = DreamRequest(replace(QUICK, seed=0, steps=3), layout, layout.region, gain=True)
    finished, seen = finish(studio, request, random_pixels(layout).tobytes())
    assert finished.recipe.seed > 0  # drawn, so that it can be asked for again
    assert finished.megapixel_steps == pytest.approx(64 * 48 * 3 / 1e6)
    assert finished.gain > 1
    assert seen[0].text == "Loading the network…"
    assert [p.step for p in seen[1:]] == [1, 2, 3]
    layout, data = seen[-1].preview(32)
    assert (layout.width, layout.height, layout.order) == (32, 24, "RGB")
    assert len(data) == layout.nbytes
    assert studio.networks == [f"squeezenet1_1 features.10 on {finished.device}"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "vgg99"}, "vgg99"),
        ({"layer": "features.99"}, "features.99"),
        ({"channels": "9999"}, "no channel 9999"),
    ],
)
def test_unknown_names_are_said_in_a_sentence(studio, change, words):
    layout = Picture(64, 64)
    request = DreamRequest(replace(QUICK, **change), layout, layout.region)
    with pytest.raises(ValueError, match=words):
        finish(studio, request, random_pixels(layout).tobytes())


def test_an_unknown_device_is_said_in_a_sentence(studio):
    layout = Picture(64, 64)
    request = DreamRequest(QUICK, layout, layout.region, device="abacus")
    with pytest.raises(ValueError, match="no device 'abacus'"):
        finish(studio, request, random_pixels(layout).tobytes())
