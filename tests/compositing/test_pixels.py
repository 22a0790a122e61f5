"""Conversion of raw pixels to planes and back, for all layouts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dreamlayer.compositing import pixels
from dreamlink.picture import CURVES, DEPTHS, ORDERS, Picture

TYPES = {"U8": np.uint8, "U16": np.uint16, "F16": np.float16, "F32": np.float32}
layouts = st.builds(
    Picture,
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from(sorted(DEPTHS)),
    st.sampled_from(sorted(ORDERS)),
    st.sampled_from(CURVES),
)


@st.composite
def pictures(draw):
    layout = draw(layouts)
    shape = (layout.height, layout.width, layout.samples)
    if layout.depth.startswith("U"):
        return layout, draw(hnp.arrays(TYPES[layout.depth], shape))
    values = st.floats(-4, 4, width=16)  # HDR and out-of-gamut values too
    return layout, draw(hnp.arrays(TYPES[layout.depth], shape, elements=values))


def everywhere(raw):
    return np.ones(raw.shape[:2], bool)


@given(pictures())
def test_unchanged_pixels_stay_bit_for_bit(case):
    layout, raw = case
    view = pixels.view(raw.tobytes(), layout).copy()
    planes = pixels.read_colours(view, layout)
    pixels.write_colours(
        view, layout, planes + 1, ~everywhere(raw), noise=np.full_like(planes, 0.4)
    )
    assert view.tobytes() == raw.tobytes()


@given(pictures())
def test_planes_written_back_restore_the_pixels(case):
    """Writing the planes back everywhere restores the pixels, to the rounding of the curve."""
    layout, raw = case
    again = raw.copy()
    pixels.write_colours(again, layout, pixels.read_colours(raw, layout), everywhere(raw))
    if layout.depth.startswith("U") and layout.curve == "srgb":
        assert np.array_equal(again, raw)
    else:
        tolerance = 1 if layout.depth.startswith("U") else 4e-3 if layout.depth == "F16" else 2e-6
        assert np.abs(again.astype(float) - raw.astype(float)).max() <= tolerance


def test_dither_noise_decides_the_rounding():
    raw = np.full((1, 3, 1), 7, np.uint8)
    planes = np.full((1, 1, 3), 99.4 / 255, np.float32)
    noise = np.array([[[-0.4, 0.0, 0.4]]], np.float32)
    pixels.write_colours(raw, Picture(3, 1, "U8", "G"), planes, everywhere(raw), noise)
    assert raw.ravel().tolist() == [99, 99, 100]


@pytest.mark.parametrize("depth", ["F16", "F32"])
def test_non_finite_pixels_are_kept(depth):
    layout = Picture(3, 1, depth, "RGB")
    raw = np.full((1, 3, 3), 0.5, TYPES[depth])
    raw[0, 0, 0], raw[0, 1, 2] = np.nan, np.inf
    fresh = raw.copy()
    pixels.write_colours(
        fresh, layout, pixels.read_colours(raw, layout) + np.float32(0.1), everywhere(raw)
    )
    assert fresh[0, :2].tobytes() == raw[0, :2].tobytes()
    assert np.allclose(fresh[0, 2], 0.6, atol=1e-3)


def test_the_order_of_the_samples():
    raw = np.array([[[10, 20, 30, 40]]], np.uint8)
    rgba = pixels.read_colours(raw, Picture(1, 1, "U8", "RGBA"))[:, 0, 0] * 255
    bgra = pixels.read_colours(raw, Picture(1, 1, "U8", "BGRA"))[:, 0, 0] * 255
    assert np.allclose(rgba, [10, 20, 30])
    assert np.allclose(bgra, [30, 20, 10])
    grey = pixels.read_colours(raw[..., :2], Picture(1, 1, "U8", "GA"))
    assert grey.shape == (1, 1, 1)


def test_linear_light_is_encoded_as_the_srgb_standard_says():
    """IEC 61966-2-1: half of the light is 0.7354 of the range; 0.001 is on the linear segment."""
    raw = np.array([[[0.5, 0.001, -0.5, 2.0]]], np.float32)
    encoded = pixels.read_colours(raw[..., :3], Picture(1, 1, "F32", "RGB", "linear"))[:, 0, 0]
    assert encoded == pytest.approx([0.7353569, 0.01292, -0.7353569], abs=1e-6)


def test_the_network_gets_three_finite_colours_in_range():
    grey = np.array([[[np.nan, np.inf, -np.inf, 7.0, 0.25]]], np.float32)
    seen = pixels.for_network(grey)
    assert seen.shape == (3, 1, 5)
    assert seen[2, 0].tolist() == [0, 1, 0, 1, 0.25]


@given(st.sampled_from(sorted(DEPTHS)), st.sampled_from(["RGBA", "BGRA", "GA"]))
def test_the_mask_multiplies_the_alpha_only(depth, order):
    layout = Picture(4, 1, depth, order)
    top = np.iinfo(TYPES[depth]).max if depth.startswith("U") else 1.0
    raw = np.full((1, 4, layout.samples), top, TYPES[depth])
    raw[0, 3, -1] = 0
    mask = np.array([[0, 128, 255, 255]], np.uint8)
    clipped = raw.copy()
    pixels.multiply_alpha(clipped, layout, mask)
    assert np.array_equal(clipped[..., :-1], raw[..., :-1])
    alpha = clipped[0, :, -1] / top
    assert alpha == pytest.approx([0, 128 / 255, 1, 0], abs=5e-3)
    assert alpha[2] == 1


@given(st.sampled_from(sorted(DEPTHS)), st.sampled_from(["RGBA", "BGRA", "GA"]))
def test_add_opacity_makes_transparent_pixels_opaque(depth, order):
    layout = Picture(5, 1, depth, order)
    top = np.iinfo(TYPES[depth]).max if depth.startswith("U") else 1.0
    raw = np.full((1, 5, layout.samples), top, TYPES[depth])
    raw[0, :4, -1] = 0
    covered = raw.copy()
    pixels.add_opacity(covered, layout, np.array([[0, 0.5, 1, 2, 0.5]], np.float32))
    assert np.array_equal(covered[..., :-1], raw[..., :-1])
    assert covered[0, :, -1] / top == pytest.approx([0, 0.5, 1, 1, 1], abs=5e-3)
    assert covered[0, 0, -1] == 0
    assert pixels.read_alpha(covered, layout)[0, 2] == 1


def test_a_layout_without_alpha_has_none():
    assert pixels.read_alpha(np.zeros((1, 1, 3), np.uint8), Picture(1, 1, "U8", "RGB")) is None
