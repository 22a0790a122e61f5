"""The figures of fine colours and lightness measure what they say."""

import pytest
import torch

from tests.engine import looks, speckle


def test_coloured_grain_is_fine_chroma_and_grey_grain_is_not():
    source = torch.full((1, 3, 60, 80), 0.5)
    grain = 0.1 * torch.randn(1, 3, 60, 80, generator=torch.Generator().manual_seed(1))
    coloured, grey = source + grain, source + grain.mean(dim=1, keepdim=True)
    assert speckle.fine_chroma_ratio(source, coloured) > 5
    assert speckle.fine_chroma_ratio(source, grey) == pytest.approx(1.0, abs=1e-3)


def test_large_patches_of_colour_are_not_speckle():
    patches = torch.full((1, 3, 60, 80), 0.3)
    patches[:, 0, :, 40:] = 0.9
    stripes = torch.full((1, 3, 60, 80), 0.3)
    stripes[:, 0, :, ::2] = 0.9
    assert speckle.fine_chroma(patches) < 0.3 * speckle.fine_chroma(stripes)


def test_the_photo_itself_has_a_ratio_of_one():
    photo = looks.photo("china.jpg", 120)
    assert speckle.fine_chroma_ratio(photo, photo) == 1.0
    assert speckle.luma_change(photo, photo) == 0.0


def test_a_lighter_picture_moves_the_mean_luma():
    dark = torch.full((1, 3, 8, 8), 0.25)
    assert speckle.luma_change(dark, dark + 0.125) == pytest.approx(0.125)
    assert speckle.luma_change(dark, dark - 0.125) == pytest.approx(0.125)
