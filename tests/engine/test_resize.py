"""Octave sizes, and resizing with periodic borders."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.engine.image import resize


@given(st.integers(60, 3000), st.integers(60, 3000), st.integers(1, 9), st.floats(1.05, 2.0),
       st.integers(0, 3))  # fmt: skip
def test_octaves_above_the_source_continue_the_series(height, width, count, scale, above):
    sizes = resize.octave_sizes(height, width, count, scale, 40, above)
    assert sizes == sorted(sizes)
    assert sizes[-1] == (round(height * scale**above), round(width * scale**above))
    assert len(sizes) <= count
    assert sum(size > (height, width) for size in sizes) == min(above, count)
    if count > above:
        assert sizes[-1 - above] == (height, width)
    below = resize.octave_sizes(height, width, max(1, count - above), scale, 40)
    if count > above:
        assert sizes[: len(sizes) - above] == below


def test_the_same_size_is_the_same_picture():
    picture = torch.rand(1, 3, 20, 30)
    assert resize.resize(picture, (20, 30)) is picture
    assert resize.resize(picture, (20, 30), wrap=True) is picture


@pytest.mark.parametrize("size", [(60, 78), (33, 26), (20, 90), (53, 51)])
def test_wrap_changes_the_borders_only(size):
    """Away from the borders it equals torch's own antialiased bicubic."""
    picture = torch.rand(1, 3, 40, 52, dtype=torch.float64)
    plain, circular = resize.resize(picture, size), resize.resize(picture, size, wrap=True)
    assert circular.shape == plain.shape
    rows, columns = slice(9, -9), slice(9, -9)
    assert torch.allclose(plain[..., rows, columns], circular[..., rows, columns], atol=1e-12)


@pytest.mark.parametrize(("size", "by"), [((60, 78), (3, -6)), ((20, 26), (10, 13))])
def test_a_seamless_picture_stays_seamless(size, by):
    """Resizing commutes with rolling: no line of the picture is an edge."""
    picture = torch.rand(1, 3, 40, 52, dtype=torch.float64)
    old = tuple(b * 40 // size[0] for b in by)
    rolled = resize.resize(picture.roll(old, (-2, -1)), size, wrap=True)
    expected = resize.resize(picture, size, wrap=True).roll(by, (-2, -1))
    assert torch.allclose(rolled, expected, atol=1e-12)
    bordered = resize.resize(picture.roll(old, (-2, -1)), size)
    assert not torch.allclose(bordered, resize.resize(picture, size).roll(by, (-2, -1)), atol=1e-2)
