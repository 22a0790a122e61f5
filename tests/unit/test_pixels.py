"""Raw pixels become planes and come back as they were, whatever their layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dreamlayer import pixels
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


@given(pictures())
def test_unchanged_pixels_come_back_bit_for_bit(case):
    layout, raw = case
    view = pixels.view(raw.tobytes(), layout)
    planes = pixels.colours(view, layout)
    nowhere = np.zeros(raw.shape[:2], bool)
    assert pixels.replaced(view, layout, planes + 1, nowhere).tobytes() == raw.tobytes()


@given(pictures())
def test_planes_hold_what_the_pixels_say(case):
    """Writing the planes back everywhere gives the pixels again, to the rounding of the curve."""
    layout, raw = case
    view = pixels.view(raw.tobytes(), layout)
    everywhere = np.ones(raw.shape[:2], bool)
    again = pixels.replaced(view, layout, pixels.colours(view, layout), everywhere)
    if layout.depth.startswith("U") and layout.curve == "srgb":
        assert np.array_equal(again, raw)
    else:
        tolerance = 1 if layout.depth.startswith("U") else 4e-3 if layout.depth == "F16" else 2e-6
        assert np.abs(again.astype(float) - raw.astype(float)).max() <= tolerance


def test_the_order_of_the_samples():
    raw = np.array([[[10, 20, 30, 40]]], np.uint8)
    rgba = pixels.colours(raw, Picture(1, 1, "U8", "RGBA"))[0, 0] * 255
    bgra = pixels.colours(raw, Picture(1, 1, "U8", "BGRA"))[0, 0] * 255
    assert np.allclose(rgba, [10, 20, 30])
    assert np.allclose(bgra, [30, 20, 10])
    grey = pixels.colours(raw[..., :2], Picture(1, 1, "U8", "GA"))
    assert grey.shape == (1, 1, 1)


def test_linear_light_is_encoded_as_the_srgb_standard_says():
    """IEC 61966-2-1: half of the light is 0.7354 of the range; 0.001 lies on the straight part."""
    raw = np.array([[[0.5, 0.001, -0.5, 2.0]]], np.float32)
    encoded = pixels.colours(raw[..., :3], Picture(1, 1, "F32", "RGB", "linear"))[0, 0]
    assert encoded == pytest.approx([0.7353569, 0.01292, -0.7353569], abs=1e-6)


def test_the_network_gets_three_finite_colours_in_range():
    raw = np.array([[[np.nan], [np.inf], [-np.inf], [7.0], [0.25]]], np.float32)
    seen = pixels.for_network(raw)
    assert seen.shape == (1, 5, 3)
    assert seen[0, :, 0].tolist() == [0, 1, 0, 1, 0.25]


@given(st.sampled_from(sorted(DEPTHS)), st.sampled_from(["RGBA", "BGRA", "GA"]))
def test_the_mask_multiplies_the_alpha_only(depth, order):
    layout = Picture(4, 1, depth, order)
    top = np.iinfo(TYPES[depth]).max if depth.startswith("U") else 1.0
    raw = np.full((1, 4, layout.samples), top, TYPES[depth])
    raw[0, 3, -1] = 0
    mask = np.array([[0, 128, 255, 255]], np.uint8)
    clipped = raw.copy()
    pixels.clip_alpha(clipped, layout, mask)
    assert np.array_equal(clipped[..., :-1], raw[..., :-1])
    alpha = clipped[0, :, -1] / top
    assert alpha == pytest.approx([0, 128 / 255, 1, 0], abs=5e-3)
    assert alpha[2] == 1
