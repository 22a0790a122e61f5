"""Source + detail: exact where nothing is added, confined to the range, grey stays grey."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dreamlayer.blend import blend

planes = hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(-0.5, 1.5, width=32))
details = hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(-1, 1, width=32))
masks = hnp.arrays(np.uint8, (3, 4))


@given(planes, details, masks)
def test_strength_zero_changes_nothing(source, detail, mask):
    result, changed = blend(source, detail, 0.0, mask)
    assert np.array_equal(result, source)
    assert not changed.any()


@given(planes, details, masks, st.floats(0, 2))
def test_outside_the_mask_nothing_changes(source, detail, mask, strength):
    result, changed = blend(source, detail, strength, mask)
    assert not changed[mask == 0].any()
    assert np.array_equal(result[mask == 0], source[mask == 0])


@given(planes, details)
def test_the_result_stays_in_the_wider_of_the_two_ranges(source, detail):
    """What the source had beyond black and white (HDR) survives; the dream adds no more of it."""
    result, _ = blend(source, detail, 2.0)
    assert (result >= np.minimum(source, 0)).all()
    assert (result <= np.maximum(source, 1)).all()


def test_the_mask_weighs_the_detail():
    source, detail = np.full((1, 3, 3), 0.5, np.float32), np.full((1, 3, 3), 0.2, np.float32)
    result, _ = blend(source, detail, 0.5, np.array([[0, 51, 255]], np.uint8))
    assert np.allclose(result[0, :, 0], [0.5, 0.52, 0.6])


@given(hnp.arrays(np.float32, (2, 2, 1), elements=st.floats(0, 1, width=32)))
def test_a_grey_source_takes_the_luminance(source):
    detail = np.broadcast_to(np.array([0.1, -0.2, 0.3], np.float32), (2, 2, 3))
    result, _ = blend(source, detail, 1.0)
    assert result.shape == source.shape
    expected = np.clip(source + 0.2126 * 0.1 - 0.7152 * 0.2 + 0.0722 * 0.3, 0, 1)
    assert np.allclose(result, expected, atol=1e-6)


def test_pixels_that_are_no_numbers_are_left_alone():
    source = np.array([[[np.nan, 0.5, 0.5], [0.5, 0.5, 0.5]]], np.float32)
    _, changed = blend(source, np.full((1, 2, 3), 0.1, np.float32), 1.0)
    assert changed.tolist() == [[False, True]]
