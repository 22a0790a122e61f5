"""Thumbnails that this computer has made: kept, put into sheets, made again if damaged."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlayer.thumbnails.own import OwnThumbnails, sheet_of
from dreamlayer.thumbnails.sheets import ACROSS, SIDE


def picture(seed: int) -> Image.Image:
    """Coloured stripes that survive WebP and reduction."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 1, 3), np.uint8)
    return Image.fromarray(np.repeat(np.repeat(colours, 32, 0), 128, 1))


@pytest.fixture
def made(tmp_path: Path) -> OwnThumbnails:
    return OwnThumbnails(tmp_path / "thumbnails")


def test_what_is_saved_is_found(made: OwnThumbnails) -> None:
    assert made.find("net", "features.3", 7) is None
    made.save("net", "features.3", 7, picture(1))
    made.save("net", "features.3", None, picture(2))
    for number, seed in ((7, 1), (None, 2)):
        pixels = made.find("net", "features.3", number)
        assert pixels is not None
        wanted = np.asarray(picture(seed).resize((SIDE, SIDE)), np.int16)
        assert abs(pixels - wanted).mean() < 12
    assert made.layers("net") == ["features.3"]
    assert not made.layers("other")


def test_a_damaged_file_is_as_if_it_had_not_been_made(made: OwnThumbnails) -> None:
    made.save("net", "a", 1, picture(1))
    (path,) = made.folder.rglob("*.webp")
    path.write_bytes(path.read_bytes()[:40])
    assert made.find("net", "a", 1) is None
    Image.new("RGB", (5, 5)).save(path)
    assert made.find("net", "a", 1) is None
    made.save("net", "a", 1, picture(1))
    assert made.find("net", "a", 1) is not None
    assert [each.name for each in made.folder.rglob("*.*") if each.is_file()] == ["1.webp"]


def test_a_sheet_has_each_channel_at_its_place(made: OwnThumbnails) -> None:
    places = (0, 3, ACROSS + 2)
    for number in places:
        made.save("net", "a", number, picture(number))
    made.save("net", "a", 4, Image.new("RGB", (64, 64), (90, 90, 90)))  # it answers to nothing
    sheet, shown = made.sheet("net", "a", 2 * ACROSS)
    assert shown == list(places)
    with Image.open(io.BytesIO(sheet)) as image:
        pixels = np.asarray(image.convert("RGB"), np.int16)
    assert pixels.shape == (2 * SIDE, ACROSS * SIDE, 3)
    for number in places:
        top, left = (place * SIDE for place in divmod(number, ACROSS))
        wanted = np.asarray(picture(number).resize((SIDE, SIDE)), np.int16)
        assert abs(pixels[top : top + SIDE, left : left + SIDE] - wanted).mean() < 15
    assert pixels[:SIDE, SIDE : 2 * SIDE].std() < 3


def test_an_empty_sheet_is_grey() -> None:
    with Image.open(io.BytesIO(sheet_of({}, 0))) as image:
        assert image.size == (ACROSS * SIDE, SIDE)


def test_a_network_that_is_removed_is_forgotten(made: OwnThumbnails) -> None:
    made.save("net", "a", 1, picture(1))
    made.save("other", "a", 1, picture(1))
    made.forget("net")
    made.forget("nobody")
    assert (made.layers("net"), made.layers("other")) == ([], ["a"])
