"""The table of parameters: every row keeps its promises."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlink.recipe import PARAMETERS, SEED_MAX, Parameter, Recipe, RecipeError

ROWS = list(PARAMETERS.values())
NUMBERS = [row for row in ROWS if row.kind in (int, float)]
SWITCHES = [row for row in ROWS if row.kind is bool]
TEXTS = [row for row in ROWS if row.kind is str]


def named(rows: list[Parameter]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


@named(ROWS)
def test_every_row_is_told_to_people(row: Parameter) -> None:
    assert row.label
    assert row.help.endswith(".")
    assert type(row.default) is row.kind


@named(ROWS)
def test_every_default_is_valid(row: Parameter) -> None:
    assert row.check(row.default) == row.default
    assert Recipe.of({row.name: row.default}) == Recipe.of({})


@named(NUMBERS)
def test_the_ends_of_a_range_are_valid_and_what_is_beyond_is_not(row: Parameter) -> None:
    assert row.minimum is not None
    assert row.maximum is not None
    assert row.step
    for end in (row.minimum, row.maximum):
        assert getattr(Recipe.of({row.name: end}), row.name) == end
    beyond = 1 if row.kind is int else 1e-6
    for value in (row.minimum - beyond, row.maximum + beyond, -1e300, 1e300):
        with pytest.raises(RecipeError, match=f"^{row.name} is between"):
            Recipe.of({row.name: value})


@named(NUMBERS)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "4", None, True, [1], {}, 10**400]
)
def test_what_is_no_number_is_refused_by_name(row: Parameter, value: object) -> None:
    with pytest.raises(RecipeError, match=f"^{row.name} is "):
        Recipe.of({row.name: value})


@named([row for row in NUMBERS if row.kind is int])
def test_a_whole_number_may_come_as_a_float_but_not_broken(row: Parameter) -> None:
    assert row.maximum is not None
    value = row.check(float(row.maximum))
    assert type(value) is int
    with pytest.raises(RecipeError, match=f"^{row.name} is a whole number"):
        row.check(row.maximum - 0.5)


@named(SWITCHES)
def test_a_switch_is_on_or_off(row: Parameter) -> None:
    assert row.parse("on") is row.parse("True") is True
    assert row.parse("off") is row.parse("no") is False
    for value in ("maybe", 1, 0, None, "on"):
        with pytest.raises(RecipeError, match=f"^{row.name} is either on or off"):
            row.check(value)


@named(TEXTS)
@pytest.mark.parametrize("value", [7, None, b"x", "x" * 1001, "a\nb", "\x00", "\x1b[2J"])
def test_a_text_is_short_and_printable(row: Parameter, value: object) -> None:
    with pytest.raises(RecipeError, match=f"^{row.name} is a text"):
        row.check(value)


@named(ROWS)
def test_what_a_person_typed_is_read(row: Parameter) -> None:
    assert row.parse(str(row.default)) == row.default


@named(NUMBERS)
@pytest.mark.parametrize("text", ["", "ten", "1e999", "0x10", "--", "nan"])
def test_what_a_person_mistyped_is_told_by_name(row: Parameter, text: str) -> None:
    with pytest.raises(RecipeError, match=f"^{row.name} is "):
        row.parse(text)


def test_an_unknown_name_is_told_with_a_near_one() -> None:
    with pytest.raises(RecipeError, match="octaves"):
        Recipe.of({"octave": 3})
    with pytest.raises(RecipeError, match="step_size"):
        Recipe.of({"xyz": 3})


def test_a_layer_with_a_channel_is_taken_apart() -> None:
    recipe = Recipe.of({"layer": "10:30"})
    assert (recipe.layer, recipe.channels, recipe.channel_numbers()) == ("10", "30", (30,))
    assert Recipe.of({"layer": "10:30", "channels": "30"}) == recipe
    assert Recipe.of({"layer": "features.10:3,5"}).channel_numbers() == (3, 5)


@pytest.mark.parametrize(
    "values",
    [{"layer": "10:"}, {"layer": "10:30", "channels": "31"}, {"channels": "a"}, {"channels": "-1"},
     {"channels": "1,,2"}, {"channels": "1.5"}, {"layer": "10:x"}],
)  # fmt: skip
def test_channels_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=r"\.$"):
        Recipe.of(values)


def test_a_seed_is_drawn_once() -> None:
    drawn = Recipe.of({}).with_seed()
    assert 1 <= drawn.seed <= SEED_MAX
    assert drawn.with_seed() == drawn
    assert dataclasses.replace(drawn, seed=0) == Recipe.of({})
    assert len({Recipe.of({}).with_seed().seed for _ in range(20)}) > 15


def values_of(row: Parameter) -> st.SearchStrategy[Any]:
    if row.kind is bool:
        return st.booleans()
    if row.kind is int:
        return st.integers(int(row.minimum or 0), int(row.maximum or 0))
    if row.kind is float:
        return st.floats(row.minimum, row.maximum)
    if row.name == "channels":
        return st.lists(st.integers(0, 5000), max_size=5).map(lambda n: ",".join(map(str, n)))
    return st.text(st.characters(categories=["L", "N", "P"], exclude_characters=":"), max_size=50)


@given(st.fixed_dictionaries({row.name: values_of(row) for row in ROWS}))
def test_recipes_survive_storage(values: dict[str, Any]) -> None:
    recipe = Recipe.of(values)
    assert recipe.to_dict() == values
    assert Recipe.of(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(
    st.dictionaries(
        st.sampled_from(list(PARAMETERS)),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    )
)
def test_anything_is_either_a_recipe_or_one_sentence(values: dict[str, object]) -> None:
    try:
        recipe = Recipe.of(values)
    except RecipeError as error:
        assert str(error).endswith(".")
        assert "\n" not in str(error)
    else:
        assert Recipe.of(recipe.to_dict()) == recipe
