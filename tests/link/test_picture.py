"""Layouts of pixels and the algebra of rectangles."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlink.picture import CURVES, DEPTHS, MAX_SIDE, ORDERS, Picture, PictureError, Region
from dreamlink.picture import region_of as region_of_values

coordinates = st.integers(-200, 200)
regions = st.builds(Region, coordinates, coordinates, st.integers(0, 200), st.integers(0, 200))
pictures = st.builds(
    Picture, st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.sampled_from(list(DEPTHS)),
    st.sampled_from(list(ORDERS)), st.sampled_from(CURVES),
)  # fmt: skip


def pixels(region: Region) -> set[tuple[int, int]]:
    """A region as the pixels that it consists of, thinned out to stay quick."""
    columns = {region.x, region.x + region.width - 1} | set(range(-200, 400, 7))
    rows = {region.y, region.y + region.height - 1} | set(range(-200, 400, 7))
    return {
        (x, y)
        for x in columns
        for y in rows
        if region.x <= x < region.x + region.width and region.y <= y < region.y + region.height
    }


@given(pictures)
def test_layouts_survive_the_wire(picture: Picture) -> None:
    assert Picture.of(picture.to_dict()) == picture


def test_bytes_are_counted_by_layout() -> None:
    assert Picture(10, 7, "U8", "RGB").nbytes == 210
    assert Picture(10, 7, "U16", "GA").nbytes == 280
    assert Picture(10, 7, "F32", "RGBA").nbytes == 1120
    assert Picture(10, 7, "F16", "G").nbytes == 140


@pytest.mark.parametrize(
    "values",
    [None, [], "10x10", {}, {"width": 5}, {"width": 5, "height": "5"}, {"width": 5, "height": 5.0},
     {"width": True, "height": 5}, {"width": 0, "height": 5}, {"width": 5, "height": MAX_SIDE + 1},
     {"width": 5, "height": 5, "depth": "U32"}, {"width": 5, "height": 5, "order": None},
     {"width": 5, "height": 5, "curve": ["srgb"]}, {"width": 5, "height": 5, "profile": "x"},
     {"width": 5, "height": 5, 7: 7}],
)  # fmt: skip
def test_invalid_layouts_are_refused(values: object) -> None:
    with pytest.raises(PictureError, match=r"\.$"):
        Picture.of(values)


@given(regions)
def test_regions_survive_the_wire(region: Region) -> None:
    assert region_of_values(list(region)) == region


@pytest.mark.parametrize(
    "values", [None, 4, "abcd", [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, 4.0], [True, 1, 1, 1],
               [0, 0, 1, MAX_SIDE + 1]],
)  # fmt: skip
def test_invalid_regions_are_refused(values: Any) -> None:
    with pytest.raises(PictureError, match="four whole numbers"):
        region_of_values(values)


@given(regions, regions)
def test_a_clip_is_the_intersection(one: Region, other: Region) -> None:
    common = one.clip(other)
    assert common == other.clip(one) or common.empty
    assert min(common.width, common.height) >= 0
    assert pixels(common) >= pixels(one) & pixels(other)
    if not common.empty:
        assert common.clip(one) == common.clip(other) == common
        assert common.x == max(one.x, other.x)


@given(regions, st.integers(0, 50))
def test_growing_and_shrinking_cancel_out(region: Region, margin: int) -> None:
    assert region.grow(margin).grow(-margin) == region
    if not region.empty:
        assert region.clip(region.grow(margin)) == region


@given(regions, coordinates, coordinates)
def test_moving_there_and_back(region: Region, dx: int, dy: int) -> None:
    assert region.moved(dx, dy).moved(-dx, -dy) == region
    assert region.moved(dx, dy).empty == region.empty
