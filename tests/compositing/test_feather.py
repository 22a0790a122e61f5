"""Feathered selections: inwards only, full again inside, no edge at the picture's own sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dreamlayer.compositing import feather
from dreamlayer.compositing.feather import feather_mask
from dreamlink.picture import Edges

NONE, ALL = Edges(False, False, False, False), Edges(True, True, True, True)
masks = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
edges = st.builds(Edges, *[st.booleans()] * 4)


@given(masks, st.floats(0, 60), edges)
def test_feathering_never_increases_the_mask(mask, width, own):
    soft = feather_mask(mask, mask.shape, width, own)
    assert soft.shape == mask.shape
    assert (soft <= mask).all()


@pytest.mark.parametrize("width", [5.0, 16.0, 33.0, 70.0])
@pytest.mark.parametrize("own", [NONE, ALL, Edges(True, False, False, True)])
def test_feathering_in_bands_gives_the_same_result(width, own, monkeypatch):
    random = np.random.default_rng(4)
    mask = np.repeat(np.repeat(random.choice([0, 255, 255, 255], (31, 7)), 13, 0), 29, 1)
    mask = mask.astype(np.uint8)
    whole = feather_mask(mask, mask.shape, width, own)
    monkeypatch.setattr(feather, "BAND", 1)
    assert np.array_equal(feather_mask(mask, mask.shape, width, own), whole)


@pytest.mark.parametrize("width", [0.0, 0.4])
def test_a_width_of_zero_returns_the_mask(width):
    mask = np.arange(20, dtype=np.uint8).reshape(4, 5)
    assert feather_mask(mask, mask.shape, width, NONE) is mask
    assert feather_mask(None, (4, 5), width, NONE) is None


@pytest.mark.parametrize("width", [3.0, 10.0, 16.0, 40.0, 100.0])
def test_the_feather_rises_from_the_edge_to_full_at_its_width(width):
    mask = np.zeros((260, 400), np.uint8)
    mask[:, 50:] = 255
    row = feather_mask(mask, mask.shape, width, ALL)[130].astype(int)
    side = -(-int(width) // 16)
    assert not row[:50].any()
    assert row[50] < 25 + 255 / width
    assert (np.diff(row) >= 0).all()
    assert (row[50 + int(width) + 2 * side :] == 255).all()
    halfway = row[50 + int(width) // 2]
    assert 60 < halfway < 195


def test_a_rectangle_is_softened_but_not_at_the_pictures_own_edges():
    own = Edges(left=True, top=False, right=False, bottom=True)
    soft = feather_mask(None, (60, 80), 8.0, own).astype(int)
    assert soft[30, 0] == 255
    assert soft[59, 40] == 255
    assert soft[0, 40] < 25
    assert soft[30, 79] < 25
    assert soft[30, 40] == 255
    assert feather_mask(None, (60, 80), 8.0, ALL) is None


def test_a_line_thinner_than_the_feather_becomes_faint_and_stays():
    mask = np.zeros((80, 80), np.uint8)
    mask[36:44] = 255
    soft = feather_mask(mask, mask.shape, 12.0, ALL)
    assert 0 < soft[40, 40] < 100


def test_a_diagonal_edge_is_as_soft():
    """Distances are octagonal: along a diagonal edge they are accurate to 10 %."""
    down, right = np.mgrid[:200, :200]
    mask = np.where(down > right, 255, 0).astype(np.uint8)
    soft = feather_mask(mask, mask.shape, 16.0, ALL)
    reached = 16 * np.sqrt(2)
    assert soft[100 + round(1.15 * reached), 100] == 255
    assert soft[100 + round(0.8 * reached), 100] < 255
