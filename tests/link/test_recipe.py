"""The table of parameters: ranges, types, texts and errors of every row."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlink.recipe.expression import parse
from dreamlink.recipe.recipe import PARAMETERS, SEED_MAX, Parameter, Recipe, RecipeError
from dreamlink.session.dream import layer_name

ROWS = list(PARAMETERS.values())
NUMBERS = [row for row in ROWS if row.kind in (int, float)]
SWITCHES = [row for row in ROWS if row.kind is bool]
TEXTS = [row for row in ROWS if row.kind is str and not row.choices]
CHOICES = [row for row in ROWS if row.choices]


def named(rows: list[Parameter]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


@named(ROWS)
def test_every_row_has_a_label_and_help(row: Parameter) -> None:
    assert row.label
    assert row.help.endswith(".")
    assert type(row.default) is row.kind


@named(ROWS)
def test_every_default_is_valid(row: Parameter) -> None:
    assert row.check(row.default) == row.default
    assert Recipe.of({row.name: row.default}) == Recipe.of({})


@named(NUMBERS)
def test_the_ends_of_a_range_are_valid_and_values_beyond_are_not(row: Parameter) -> None:
    assert row.minimum is not None
    assert row.maximum is not None
    assert row.step
    for end in (row.minimum, row.maximum):
        assert getattr(Recipe.of({row.name: end}), row.name) == end
    beyond = 1 if row.kind is int else 1e-6
    for value in (row.minimum - beyond, row.maximum + beyond, -1e300, 1e300):
        with pytest.raises(RecipeError, match=f"^{row.name} must be between"):
            Recipe.of({row.name: value})


@named(NUMBERS)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "4", None, True, [1], {}, 10**400]
)
def test_an_invalid_number_is_refused_by_name(row: Parameter, value: object) -> None:
    with pytest.raises(RecipeError, match=f"^{row.name} must be "):
        Recipe.of({row.name: value})


@named([row for row in NUMBERS if row.kind is int])
def test_a_whole_number_may_be_a_float_without_a_fraction(row: Parameter) -> None:
    assert row.maximum is not None
    value = row.check(float(row.maximum))
    assert type(value) is int
    with pytest.raises(RecipeError, match=f"^{row.name} must be a whole number"):
        row.check(row.maximum - 0.5)


@named(SWITCHES)
def test_a_switch_is_on_or_off(row: Parameter) -> None:
    assert row.parse("on") is row.parse("True") is True
    assert row.parse("off") is row.parse("no") is False
    for value in ("maybe", 1, 0, None, "on"):
        with pytest.raises(RecipeError, match=f"^{row.name} must be on or off"):
            row.check(value)


@named(TEXTS)
@pytest.mark.parametrize("value", [7, None, b"x", "x" * 1001, "a\nb", "\x00", "\x1b[2J"])
def test_a_text_is_short_and_printable(row: Parameter, value: object) -> None:
    with pytest.raises(RecipeError, match=f"^{row.name} must be a text"):
        row.check(value)


@named(CHOICES)
def test_a_choice_is_one_of_those_in_the_table(row: Parameter) -> None:
    assert row.default in row.choices
    for choice in row.choices:
        assert row.parse(choice) == choice
        assert choice in row.help
    for value in ("other", "", row.choices[0].upper(), 7, None):
        with pytest.raises(RecipeError, match=f"^{row.name} must be {row.choices[0]}.* or "):
            row.check(value)


@named(ROWS)
def test_typed_values_are_parsed(row: Parameter) -> None:
    assert row.parse(str(row.default)) == row.default


@named(NUMBERS)
@pytest.mark.parametrize("text", ["", "ten", "1e999", "0x10", "--", "nan"])
def test_mistyped_values_are_refused_by_name(row: Parameter, text: str) -> None:
    with pytest.raises(RecipeError, match=f"^{row.name} must be "):
        row.parse(text)


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(RecipeError, match="octaves"):
        Recipe.of({"octave": 3})
    with pytest.raises(RecipeError, match="step_size"):
        Recipe.of({"xyz": 3})


def test_channels_belong_to_a_plain_layer() -> None:
    assert Recipe.of({"layer": "10", "channels": "3, 5"}).expression() == parse("10:3,5")
    assert Recipe.of({"layer": " (10) ", "channels": "3"}).expression() == parse("10:3")
    assert Recipe.of({"layer": "10:3"}).expression() == parse("10:3")
    assert Recipe.of({"layer": "10 + 12:3*0.5"}).expression() == parse("10 + 12:3*0.5")


@pytest.mark.parametrize(
    ("values", "words"),
    [({"layer": "10:"}, "10:»«"), ({"layer": "10:x"}, "10:»x«"), ({"layer": ""}, "»«"),
     ({"layer": "10:30", "channels": "31"}, "“10:30” already says"),
     ({"layer": "10+12", "channels": "31"}, "leave channels empty"),
     ({"layer": "class:3", "channels": "31"}, "leave channels empty"),
     ({"channels": "a"}, "30,115, not 'a'"), ({"channels": "-1"}, "'-1'"),
     ({"channels": "1,,2"}, "'1,,2'"), ({"channels": "1.5"}, "'1.5'"),
     ({"channels": "3 + 12"}, "30,115"), ({"channels": "3,3"}, "twice")],
)  # fmt: skip
def test_invalid_layers_and_channels_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=rf"{re.escape(words)}.*\.$"):
        Recipe.of(values)


def test_layer_names_have_the_expression_and_are_short() -> None:
    short = Recipe.of({"layer": "10", "channels": "30", "seed": 7})
    assert layer_name("Cat", short) == "Dream of Cat (10:30, seed 7)"
    bound = Recipe.of({"bind": "#ff0000=10; #00ff00=12", "seed": 7})
    assert layer_name("Cat", bound) == "Dream of Cat (map, seed 7)"
    long = Recipe.of({"layer": " + ".join(["features.10:30"] * 20), "seed": 7})
    assert len(layer_name("Cat", long)) < 70
    assert layer_name("Cat", long).endswith("…, seed 7)")


def test_a_seed_is_drawn_once() -> None:
    drawn = Recipe.of({}).with_seed()
    assert 1 <= drawn.seed <= SEED_MAX
    assert drawn.with_seed() == drawn
    assert dataclasses.replace(drawn, seed=0) == Recipe.of({})
    assert len({Recipe.of({}).with_seed().seed for _ in range(20)}) > 15


NUMBER_LISTS = st.lists(st.integers(0, 5000), max_size=5, unique=True).map(
    lambda numbers: ",".join(map(str, numbers))
)
OWN = {
    "layer": st.sampled_from(["10", "layer3.1.conv2"]),
    "channels": NUMBER_LISTS,
    "bind": st.sampled_from(["", "#ff0000=10:30", "#ff0000=kind:dogs; #0aF000=6 - 3*0.5"]),
}


@pytest.mark.parametrize(
    ("address", "model", "layer"),
    [
        ("squeezenet1_1/features.12/104", "squeezenet1_1", "features.12:104"),
        (" efficientnet-lite0/_blocks.9 ", "efficientnet-lite0", "_blocks.9"),
        ("squeezenet1_1/kind:water birds", "squeezenet1_1", "kind:water birds"),
        ("vgg16/25/150", "vgg16", "25:150"),
    ],
)
def test_an_address_names_network_and_layer(address: str, model: str, layer: str) -> None:
    recipe = Recipe.of({"model": "other", "layer": address})
    assert (recipe.model, recipe.layer) == (model, layer)
    assert recipe == Recipe.of({"model": model, "layer": layer})


@pytest.mark.parametrize(
    "text", ["squeezenet1_1/", "squeezenet1_1/12:3", "a/b/c", "a/12/3/4", "a/12 + a/3", "a/kind:"]
)
def test_a_broken_address_is_a_sentence(text: str) -> None:
    with pytest.raises(RecipeError, match="is no address: after the network"):
        Recipe.of({"layer": text})


def values_of(row: Parameter) -> st.SearchStrategy[Any]:
    if row.name in OWN:
        return OWN[row.name]
    if row.choices:
        return st.sampled_from(row.choices)
    if row.kind is bool:
        return st.booleans()
    if row.kind is int:
        return st.integers(int(row.minimum or 0), int(row.maximum or 0))
    if row.kind is float:
        return st.floats(row.minimum, row.maximum)
    return st.text(st.characters(categories=["L", "N", "P"]), max_size=50)


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
def test_any_values_are_a_recipe_or_an_error_of_one_sentence(values: dict[str, object]) -> None:
    try:
        recipe = Recipe.of(values)
    except RecipeError as error:
        assert str(error).endswith(".")
        assert "\n" not in str(error)
    else:
        assert Recipe.of(recipe.to_dict()) == recipe
