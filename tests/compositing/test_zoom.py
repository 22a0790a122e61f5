"""Enlarging a picture about its centre before it dreams: one step of a dive."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dreamlayer.compositing.zoom import zoom_pixels
from dreamlayer.engine.image import resize
from dreamlayer.studio.local import LocalStudio
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.studio.test_studio import finish, random_pixels

RECIPE = Recipe.of({"octaves": 1, "steps": 1, "seed": 4, "layer": "features.3"})


@pytest.fixture(scope="module")
def studio():
    return LocalStudio()


def smooth(layout, opaque=True):
    """Ramps from side to side: a pixel's colour tells where it comes from."""
    down, right = np.meshgrid(
        np.linspace(0.1, 0.9, layout.height), np.linspace(0.2, 0.8, layout.width), indexing="ij"
    )
    samples = [down, right, (down + right) / 2][: 1 if layout.order in ("G", "GA") else 3]
    if "A" in layout.order:
        samples.append(np.ones_like(down) if opaque else right)
    raw = np.stack(samples, axis=2)
    if layout.depth.startswith("U"):
        kind = {"U8": "u1", "U16": "<u2"}[layout.depth]
        return (raw * np.iinfo(kind).max).round().astype(kind)
    return raw.astype({"F16": "<f2", "F32": "<f4"}[layout.depth])


@pytest.mark.parametrize("depth", ["U8", "U16", "F16", "F32"])
@pytest.mark.parametrize("order", ["RGBA", "BGRA", "RGB", "GA", "G"])
@pytest.mark.parametrize("factor", [1.01, 1.25, 2.0])
def test_every_layout_is_enlarged_about_its_middle(depth, order, factor):
    layout = Picture(61, 40, depth, order)
    raw = smooth(layout)
    large = zoom_pixels(raw, layout, factor)
    assert large.shape == raw.shape
    assert large.dtype == raw.dtype
    top = np.iinfo(raw.dtype).max if depth.startswith("U") else 1
    before, after = raw.astype(float) / top, large.astype(float) / top
    middle = before[19:21].mean(axis=0)[30]
    assert after[19:21].mean(axis=0)[30] == pytest.approx(middle, abs=0.005)
    colours = before[..., 0] if order in ("G", "GA") else before[..., :3]
    slope = lambda p: p[5:-5, 5:-5].max() - p[5:-5, 5:-5].min()  # noqa: E731
    got = after[..., 0] if order in ("G", "GA") else after[..., :3]
    assert slope(got) == pytest.approx(slope(colours) / factor, abs=0.03)
    if "A" in order:
        assert (large[..., -1] == top).all()


def test_a_zoom_of_two_equals_resizing():
    layout = Picture(40, 32, "F32", "RGB")
    raw = random_pixels(layout)
    picture = torch.from_numpy(raw).permute(2, 0, 1)[None]
    middle = resize.resize(picture, (64, 80))[0, :, 16:48, 20:60].permute(1, 2, 0).numpy()
    assert np.abs(zoom_pixels(raw, layout, 2.0) - middle.clip(raw.min(), raw.max())).max() < 1e-5


def test_colours_of_transparent_pixels_do_not_bleed():
    layout = Picture(40, 30)
    raw = np.full((30, 40, 4), 255, np.uint8)
    raw[..., :3] = (200, 40, 40)
    raw[:, :20] = (0, 255, 0, 0)  # transparent green beside opaque red
    large = zoom_pixels(raw, layout, 1.3)
    seen = large[..., 3] > 0
    assert seen.any()
    assert np.abs(large[seen][:, :3].astype(int) - (200, 40, 40)).max() <= 1
    assert not large[:, :10, 3].any()
    assert (large[:, :10, :3] == (0, 255, 0)).all()


def test_zooming_keeps_the_range_of_hdr_pictures():
    layout = Picture(40, 30, "F32", "RGB", "linear")
    raw = np.full((30, 40, 3), 0.1, np.float32)
    raw[:, 20:] = 30.0
    large = zoom_pixels(raw, layout, 1.5)
    assert large.max() == pytest.approx(30.0, rel=1e-4)
    assert large.min() == pytest.approx(0.1, rel=1e-4)


def test_zooming_in_strips_gives_the_same_result(monkeypatch):
    from dreamlayer.engine.image import planes

    layout = Picture(50, 60)
    raw = random_pixels(layout)
    at_once = zoom_pixels(raw, layout, 1.7)
    monkeypatch.setattr(planes, "STRIP", 50 * 7)
    assert zoom_pixels(raw, layout, 1.7).tobytes() == at_once.tobytes()


def test_a_dream_is_blended_into_the_enlarged_picture(studio):
    layout = Picture(72, 64)
    raw = random_pixels(layout)
    request = DreamRequest(RECIPE, layout, layout.region, zoom=1.2)
    finished, _ = finish(studio, request, raw.tobytes())
    large = zoom_pixels(raw, layout, 1.2)
    whole, _ = finish(studio, replace(request, zoom=1.0), large.tobytes())
    assert bytes(finished.pixels) == bytes(whole.pixels)
    nothing = finished.overlay.blend(replace(finished.recipe, strength=0.0))
    assert bytes(nothing) == large.tobytes()


def test_a_quick_dream_is_blended_into_the_enlarged_picture_too(studio):
    layout = Picture(72, 64)
    raw = random_pixels(layout)
    request = DreamRequest(replace(RECIPE, strength=0.0), layout, layout.region, zoom=1.5)
    finished, _ = finish(studio, replace(request, quick=True), raw.tobytes())
    assert bytes(finished.pixels) == zoom_pixels(raw, layout, 1.5).tobytes()


def test_zooming_with_wrap_reads_the_opposite_side():
    layout = Picture(32, 32, "F32", "G")
    raw = random_pixels(layout)
    alone, seamless = (zoom_pixels(raw, layout, 1.001, wrap=wrap) for wrap in (False, True))
    assert np.array_equal(alone[4:-4, 4:-4], seamless[4:-4, 4:-4])
    assert (alone[:, 0] != seamless[:, 0]).any()


def test_non_finite_pixels_become_black_with_a_note(studio):
    layout = Picture(64, 64, "F32", "RGB")
    raw = random_pixels(layout)
    raw[30:34, 30:34] = np.nan
    request = DreamRequest(replace(RECIPE, strength=0.0), layout, layout.region, zoom=1.5)
    finished, _ = finish(studio, request, raw.tobytes())
    result = np.frombuffer(bytes(finished.pixels), "<f4")
    assert np.isfinite(result).all()
    assert finished.notes == ("Pixels with invalid values (NaN or infinite) became black: 16.",)
