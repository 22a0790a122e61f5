"""The colours of a map are found as a user would name them: the flat ones, no edges and specks."""

import random
import time

import pytest

from dreamlink.recipe.bindings import BINDINGS_MAX
from dreamlink.session.map_colours import flat_colours

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def pixels(*parts):
    """Colours with their numbers of pixels, opaque unless the colour has an alpha."""
    return b"".join(bytes((*colour, 255)[:4]) * count for colour, count in parts)


def test_the_most_frequent_comes_first():
    assert flat_colours(pixels((RED, 20), (GREEN, 50), (BLUE, 30))) == [GREEN, BLUE, RED]


def test_there_is_nothing_on_an_empty_layer():
    assert flat_colours(b"") == flat_colours(pixels(((255, 0, 0, 0), 100))) == []


def test_transparent_pixels_count_neither_as_a_colour_nor_in_the_whole():
    drawn = pixels(((9, 9, 9, 0), 100_000), ((0, 0, 255, 127), 500), (RED, 97), (GREEN, 3))
    assert flat_colours(drawn) == [RED, GREEN]


def test_one_colour_may_have_several_opacities():
    assert flat_colours(pixels((RED, 98), ((0, 255, 0, 128), 1), ((0, 255, 0, 200), 1))) == [
        RED,
        GREEN,
    ]


def test_specks_and_edges_are_none():
    edge = [((255 - level, level, 0), 1) for level in range(1, 255)]
    assert flat_colours(pixels((RED, 20_000), (GREEN, 10_000), (BLUE, 302), *edge)) == [RED, GREEN]
    assert flat_colours(pixels((RED, 20_000), (GREEN, 10_000), (BLUE, 306), *edge))[2:] == [BLUE]


def test_of_colours_that_can_hardly_be_told_apart_the_more_frequent_one_is_found():
    assert flat_colours(pixels((RED, 50), ((255, 47, 0), 60))) == [(255, 47, 0)]
    assert flat_colours(pixels((RED, 50), ((255, 48, 0), 60))) == [(255, 48, 0), RED]


def test_there_are_no_more_than_can_be_bound():
    ten = [(level * 50 % 256, level // 5 * 200, level * 25) for level in range(10)]
    drawn = pixels(*((colour, 100 - n) for n, colour in enumerate(ten)))
    assert flat_colours(drawn) == ten[:BINDINGS_MAX]


def test_a_part_of_a_pixel_is_refused():
    with pytest.raises(ValueError, match="5 bytes"):
        flat_colours(b"12345")


def test_a_sample_is_searched_quickly():
    """Even if nothing in it is flat: 65,536 colours."""
    drawn = random.Random(1).randbytes(4 << 16)
    begin = time.perf_counter()
    assert flat_colours(drawn) == []
    assert time.perf_counter() - begin < 1.0
