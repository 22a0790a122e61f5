"""The colours of a map are found as a user would name them, and bound to what can be dreamed."""

import random
import time

import pytest

from dreamlayer.networks.kinds.kinds import names
from dreamlink.recipe.bindings import BINDINGS_MAX, parse_bindings
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.map_colours import CLASSES, KINDS, KINDS_MODEL, bound_text, flat_colours

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


def test_the_first_colour_gets_what_is_dreamed_without_a_map_and_the_others_kinds():
    recipe = Recipe(layer="features.10", channels="30")
    assert bound_text("", [RED, GREEN, BLUE], recipe) == (
        "#ff0000=features.10:30; #00ff00=kind:dogs; #0000ff=kind:songbirds"
    )


def test_a_network_without_kinds_gets_channels_of_the_layer_or_objects():
    lite = Recipe(model="efficientnet-lite0", layer="10")
    assert bound_text("", [RED, GREEN], lite) == "#ff0000=10; #00ff00=10:1"
    objects = Recipe(model="googlenet", layer="class:castle")
    assert bound_text("", [RED, GREEN], objects) == "#ff0000=class:castle; #00ff00=class:daisy"


def test_what_was_said_about_a_colour_stays_also_about_one_that_is_nearly_the_same():
    text = "#0000f0=kind:fish; #123456=9; #ff0000=10:30 + 12*0.5"
    assert bound_text(text, [RED, GREEN, BLUE], Recipe()) == (
        "#ff0000=10:30 + 12*0.5; #00ff00=features.10; #0000ff=kind:fish"
    )


def test_nothing_is_bound_twice_by_itself():
    text = "#ff0000=features.10; #00ff00=kind:dogs"
    assert bound_text(text, [RED, GREEN, BLUE], Recipe()) == f"{text}; #0000ff=kind:songbirds"


@pytest.mark.parametrize("text", ["#ff0000", "red=3", "#ff0000=10:", "#ff0000=9; #00f", ";;"])
def test_what_is_half_typed_is_left_out(text):
    assert bound_text(text, [GREEN], Recipe(layer="10: ")) == "#00ff00=kind:dogs"


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(layer="kind:monkeys"),
        Recipe(model="efficientnet-lite0", layer="10:1"),
        Recipe(model="googlenet", layer="10 +"),
        Recipe(model="vgg16", layer="class:jellyfish"),
    ],
)
def test_as_many_as_can_be_bound_get_a_choice_each(recipe):
    colours = [(level * 36, 255 - level * 36, level % 2 * 200) for level in range(BINDINGS_MAX)]
    bindings = parse_bindings(bound_text("", colours, recipe))
    assert [bound.colour for bound in bindings] == colours
    assert len({bound.expression for bound in bindings}) == BINDINGS_MAX


def test_the_choices_exist():
    assert set(KINDS) <= set(names(KINDS_MODEL))
    assert len(set(KINDS)) == len(set(CLASSES)) == BINDINGS_MAX
