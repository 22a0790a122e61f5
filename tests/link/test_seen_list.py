"""What hosts show of an answer: the rows of a list, their texts, and the shade over a picture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dreamlink.recipe.recipe import Recipe
from dreamlink.session import seen_list
from dreamlink.wire.seeing import Seen, SeenClass, SeenRow

CHANNEL = SeenRow("net/features.12/7", "net", "features.12:7", "7", 2.5, (0, 0), 4.0, b"\0\xff")
LAYER = replace(CHANNEL, address="net/features.12", expression="features.12", name="features.12")
KIND = replace(CHANNEL, address="net/kind:cats", expression="kind:cats", name="cats")
CLASSES = tuple(SeenClass("net", n, name, 0.5) for n, name in enumerate(("cat", "dog", "fox", "x")))
SEEN = Seen((CHANNEL, replace(CHANNEL, score=0.0)), (LAYER,), (KIND,), CLASSES, (), (2, 1), ())


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("", [KIND, CHANNEL, LAYER]),
        ("kinds", [KIND]),
        ("channels", [CHANNEL]),
        ("layers", [LAYER]),
    ],
)
def test_each_filter_shows_what_answers_more_than_usual(
    which: str, expected: list[SeenRow]
) -> None:
    assert which in [name for _, name in seen_list.FILTERS]
    assert seen_list.rows(SEEN, which) == expected


def test_nothing_is_listed_before_there_is_an_answer() -> None:
    assert seen_list.rows(None) == []


def test_three_classes_are_named() -> None:
    assert seen_list.classes(SEEN) == "cat (50%), dog (50%), fox (50%)"
    assert seen_list.classes(replace(SEEN, classes=())) == ""


def test_things_have_names_and_the_rest_addresses() -> None:
    assert seen_list.short_name(KIND) == seen_list.name(KIND) == "cats"
    assert seen_list.short_name(CHANNEL) == "features.12/7\nnet"
    assert seen_list.name(CHANNEL) == "net/features.12/7"
    assert seen_list.short_name(LAYER) == "features.12\nnet"


def test_what_is_chosen_is_dreamed() -> None:
    recipe = Recipe.of({"channels": "3", "start": "noise", **seen_list.chosen([(CHANNEL, 2.0)])})
    assert (recipe.model, recipe.layer, recipe.channels) == ("net", "features.12:7", "")
    assert recipe.start == "picture"


def test_several_are_dreamed_at_once() -> None:
    parts = [(CHANNEL, 1.0), (KIND, 3.0)]
    recipe = Recipe.of(seen_list.chosen(parts))
    assert [weight for weight, _ in recipe.expression().terms] == [0.5, 1.5]
    assert seen_list.names(parts) == "net/features.12/7 + cats"


def test_a_vague_picture_is_told() -> None:
    assert seen_list.VAGUE not in seen_list.details(CHANNEL)
    assert seen_list.VAGUE in seen_list.details(replace(CHANNEL, specific=False))


def test_a_picture_is_dark_where_nothing_answers() -> None:
    dark, bright = seen_list.shade(b"\0")[3], seen_list.shade(b"\xff")[3]
    assert seen_list.shade(b"\0\xff\x80")[3::4] == bytes((dark, bright, seen_list.SHADES[0x80]))
    assert bright == 0 < seen_list.SHADES[0x80] < dark < 255
    assert not any(seen_list.shade(b"\0\xff")[sample] for sample in (0, 1, 2, 4, 5, 6))
