"""Rectangles and masks: what is sent, and how the result is pasted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dreamlayer.dreaming import selection
from dreamlayer.files.reading import ImageFile
from dreamlink.picture import PictureError, Region

SIZE = (60, 40)
PICTURE = Region(0, 0, *SIZE)
rectangles = st.builds(
    Region, st.integers(-50, 80), st.integers(-50, 80), st.integers(1, 90), st.integers(1, 90)
)


def mask_of(region: Region, level: int = 255) -> Image.Image:
    mask = Image.new("L", SIZE)
    mask.paste(level, (region.x, region.y, region.x + region.width, region.y + region.height))
    return mask


def test_without_a_selection_the_whole_picture_is_dreamed() -> None:
    chosen = selection.select(SIZE, None, None)
    assert (chosen.region, chosen.mask) == (PICTURE, None)
    assert chosen.with_context(PICTURE, 96) == PICTURE


def test_a_rectangle_is_clipped_and_sent_with_its_surroundings() -> None:
    chosen = selection.select(SIZE, Region(50, 30, 100, 100), None)
    assert chosen.region == Region(50, 30, 10, 10)
    assert chosen.with_context(PICTURE, 5) == Region(45, 25, 15, 15)
    assert chosen.with_context(PICTURE, 0) == chosen.region


def test_a_mask_selects_the_bounding_box_of_its_non_black_pixels() -> None:
    chosen = selection.select(SIZE, None, mask_of(Region(7, 9, 20, 10), 1))
    assert chosen.region == Region(7, 9, 20, 10)
    assert chosen.mask is not None
    assert chosen.mask.tobytes() == bytes([1]) * 200


@given(rectangles, rectangles)
def test_a_mask_and_a_rectangle_select_their_intersection(one: Region, other: Region) -> None:
    masked = one.clip(PICTURE)
    mask = mask_of(masked) if not masked.empty else Image.new("L", SIZE)
    common = masked.clip(other) if not masked.empty else masked
    try:
        chosen = selection.select(SIZE, other, mask)
    except PictureError:
        assert common.empty
        return
    assert chosen.region == common
    assert chosen.mask is not None
    assert chosen.mask.size == (common.width, common.height)
    assert chosen.mask.getextrema() == (255, 255)


@given(rectangles, st.sampled_from(["RGB", "RGBA", "L", "LA", "I;16"]))
def test_only_the_region_changes_when_pixels_are_pasted(rectangle: Region, mode: str) -> None:
    region = rectangle.clip(PICTURE)
    if region.empty:
        return
    if mode == "I;16":
        source = ImageFile(Image.fromarray(np.full((SIZE[1], SIZE[0]), 40000, np.uint16)))
    else:
        source = ImageFile(Image.new(mode, SIZE))
    sent = source.pixels(region)
    assert len(sent) == source.layout(region.width, region.height).nbytes
    before = np.array(source.image)
    source.image.paste(selection.part(source, region, sent), region[:2])
    assert (np.asarray(source.image) == before).all()
    changed = selection.part(source, region, bytes(255 - b for b in sent))
    source.image.paste(changed, region[:2])
    result = np.asarray(source.image)
    inside = np.zeros(result.shape[:2], bool)
    inside[region.y : region.y + region.height, region.x : region.x + region.width] = True
    assert (result[inside] != before[inside]).all()
    assert (result[~inside] == before[~inside]).all()


def test_a_rectangle_is_parsed() -> None:
    assert selection.rectangle_of("1,2,30,40") == Region(1, 2, 30, 40)
    assert selection.rectangle_of("-1, 2, 30, 40") == Region(-1, 2, 30, 40)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,2,3,4", "1,2,0,4", "1,2,3,-4", "9" * 5000]
)
def test_an_invalid_rectangle_is_refused(text: str) -> None:
    with pytest.raises(PictureError, match=r"\.$") as refusal:
        selection.rectangle_of(text)
    assert len(str(refusal.value)) < 200
