"""Explore: every neighbour is a recipe that can be dreamed, and none is like another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlink.picture import Picture
from dreamlink.recipe import presets
from dreamlink.recipe.expression import parse
from dreamlink.recipe.presets import KEPT
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.exploring.exploration import MIDDLE, Exploration
from dreamlink.session.exploring.layers import layer_name, other_layers, pull
from dreamlink.session.exploring.neighbours import COUNT, neighbours_of, surprise
from dreamlink.session.exploring.offers import sum_of
from dreamlink.session.exploring.recipes import describe, explorable, visible
from dreamlink.session.exploring.things import Thing, things_of
from dreamlink.wire.looks import LookAnswer
from dreamlink.wire.seeing import Seen, SeenRow, SeenTogether

SQUEEZENET, LITE = "squeezenet1_1", "efficientnet-lite0"
THINGS = (
    Thing(SQUEEZENET, "kind:dogs", "dogs", "kinds"),
    Thing(SQUEEZENET, "kind:furry animals", "furry animals", "kinds"),
    Thing(SQUEEZENET, "kind:birds", "birds", "kinds"),
    Thing(LITE, "_blocks.14:104", "channel 104 of block 14", "channels", 0.78),
    Thing(LITE, "_blocks.12:95", "channel 95 of block 12", "channels", 0.95),
    Thing(SQUEEZENET, "features.9:165", "channel 165 of layer 9", "channels"),
    Thing(SQUEEZENET, "features.10:30", "channel 30 of layer 10", "channels", 2.0),
    Thing(LITE, "_blocks.14", "block 14", "layers", 0.001),
)
PICTURE = (Picture(1, 1, "U8", "RGB"), b"abc")
DEFAULT = presets.find(presets.DEFAULT).recipe()


def all_presets() -> list[Recipe]:
    return [preset.recipe() for preset in presets.PRESETS.values()]


def preset(name: str) -> Recipe:
    return presets.find(name).recipe()


def row(model: str, expression: str, name: str, score: float = 1.0) -> SeenRow:
    return SeenRow(f"{model}/{name}", model, expression, name, score, (0.0, 0.0), 1.0, b"")


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(all_presets()), st.integers(0, 1 << 40), st.floats(1, 40),
    st.sampled_from([THINGS, THINGS[3:4], ()]),
)  # fmt: skip
def test_every_neighbour_of_every_preset_is_valid_and_unlike_the_others(
    recipe: Recipe, seed: int, reduced: float, things: tuple[Thing, ...]
) -> None:
    middle = explorable(recipe, reduced)
    near = neighbours_of(middle, things, seed, reduced)
    assert len(near) == COUNT == 8
    for neighbour in near:
        assert Recipe.of(neighbour.recipe.to_dict()) == neighbour.recipe
        assert 3 < len(neighbour.name) < 60
        assert not neighbour.recipe.needs_guide
    looks = [visible(each) for each in (middle, *(neighbour.recipe for neighbour in near))]
    assert all(look not in looks[:place] for place, look in enumerate(looks))
    assert len({neighbour.name for neighbour in near}) == COUNT
    for name in KEPT - {"bind"}:
        assert {getattr(each.recipe, name) for each in near} == {getattr(middle, name)}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1 << 30), st.integers(1, 30))
def test_a_long_walk_stays_among_valid_recipes(seed: int, steps: int) -> None:
    walk = Exploration(DEFAULT, THINGS, 3.0, seed)
    for step in range(steps):
        walk.surprise() if step % 5 == 4 else walk.choose((seed >> step) % 9)
        for cell in walk.place.cells:
            assert Recipe.of(cell.recipe.to_dict()) == cell.recipe
        assert len(walk.place.cells) == 9


def test_the_same_seed_makes_the_same_neighbours() -> None:
    assert neighbours_of(DEFAULT, THINGS, 5) == neighbours_of(DEFAULT, THINGS, 5)
    different = {tuple(n.name for n in neighbours_of(DEFAULT, THINGS, seed)) for seed in range(20)}
    assert len(different) > 10


def test_one_grid_has_things_mixes_sizes_methods_tones_and_presets() -> None:
    names = [neighbour.name for neighbour in neighbours_of(DEFAULT, THINGS, 3)]
    assert names[0] in {thing.name for thing in THINGS if thing.sort == "kinds"}
    assert names[1].startswith("with block")
    assert names[3:6] == ["finer", "larger", "drawn in steps"]
    assert names[7].endswith("(preset)")


def test_finer_and_larger_are_what_they_say() -> None:
    by_name = {each.name: each.recipe for each in neighbours_of(DEFAULT, THINGS, 1)}
    assert by_name["finer"].size < 1 < by_name["larger"].size
    middle = explorable(preset("animals"), 3.0)
    by_name = {each.name: each.recipe for each in neighbours_of(middle, THINGS, 1, 3.0)}
    assert by_name["finer"].octaves < middle.octaves < by_name["larger"].octaves


def test_a_mix_has_both_as_strong() -> None:
    feathers = explorable(preset("feathers"), 1.0)
    for seed in range(10):
        mixed = neighbours_of(feathers, THINGS, seed)[1]
        if mixed.name.startswith("with"):
            terms = parse(mixed.recipe.layer).terms
            weights = {str(target): weight for weight, target in terms}
            assert weights == {"features.10:30": 1.0, "features.9:165": 0.5}
            break
    else:
        pytest.fail("no mix was offered")
    layers = neighbours_of(DEFAULT, (), 4)[1].recipe
    (own, first), (other, second) = parse(layers.layer).terms
    assert own * pull(LITE, first) == pytest.approx(other * pull(LITE, second), rel=0.01)


def test_a_sum_keeps_its_largest_weight_at_one() -> None:
    (_, ten), (_, twelve) = parse("10:30 + 12").terms
    assert sum_of([(2.0, ten), (500.0, twelve)]) == "10:30*0.004 + 12"


def test_a_kind_is_painted_whatever_the_middle_was() -> None:
    kind = neighbours_of(explorable(preset("woodcut"), 2.0), THINGS, 2, 2.0)[0]
    assert kind.recipe.is_painted
    assert kind.recipe.layer.startswith("kind:")
    assert kind.recipe.steps >= 11


def test_a_surprise_is_far_away_and_new() -> None:
    been = [DEFAULT]
    for seed in range(12):
        far = surprise(been, THINGS, seed)
        assert visible(far.recipe) not in [visible(each) for each in been]
        assert (far.recipe.model, far.recipe.layer) != (been[-1].model, been[-1].layer)
        been.append(far.recipe)


def test_steps_get_octaves_that_fit_into_the_look() -> None:
    for reduced in (1.0, 3.0, 16.0, 200.0):
        recipe = explorable(preset("animals"), reduced)
        fits = recipe.octave_scale ** (recipe.octaves - 1) >= reduced
        assert fits or recipe.octaves == 16
    assert explorable(DEFAULT, 200.0) == DEFAULT


def test_what_looks_can_t_show_is_left_out() -> None:
    recipe = Recipe.of({"layer": "features.10:guide", "bind": "#ff0000=10:30", "wrap": True})
    shown = explorable(recipe, 1.0)
    assert (shown.layer, shown.bind, shown.wrap) == ("features.10", "", False)


def test_things_are_named_in_plain_english() -> None:
    seen = Seen(
        (
            row(LITE, "_blocks.12:104", "104"), row(SQUEEZENET, "features.9:7", "7"),
            row(SQUEEZENET, "features.9:8", "8", score=-0.5), row(LITE, "not an (expression", "9"),
        ),
        (row(LITE, "_blocks.12", "_blocks.12"),),
        (row(SQUEEZENET, "kind:dogs", "dogs"), row(SQUEEZENET, "features.12:1,2,3,4", "cats")),
        (),
        (SeenTogether(LITE, "_blocks.12:104*0.75 + _blocks.11:3"),),
        (1, 1),
        (),
    )  # fmt: skip
    things = things_of(seen)
    assert [(thing.name, thing.sort) for thing in things] == [
        ("dogs", "kinds"), ("channel 104 of block 12", "channels"),
        ("channel 7 of layer 9", "channels"), ("block 12", "layers"),
    ]  # fmt: skip
    assert things[1].weight == 0.75
    assert things_of(None) == ()


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("features.10", "layer 10"), ("10", "layer 10"), ("_blocks.12", "block 12"),
        ("inception4c", "inception4c"), ("layer3.0.conv1", "layer3.0.conv1"),
    ],
)  # fmt: skip
def test_a_layer_is_named_by_its_number(layer: str, name: str) -> None:
    assert layer_name(layer) == name


def test_only_layers_far_away_are_others() -> None:
    numbers = [layer_name(target.layer) for target in other_layers(SQUEEZENET, "features.10")]
    assert numbers == ["layer 3", "layer 4", "layer 6", "layer 7"]
    assert other_layers("vgg16", "features.25") == []


def test_a_recipe_is_described() -> None:
    assert describe(DEFAULT) == "layer 10, painted"
    assert describe(preset("dogs")) == "dogs, painted"
    assert describe(preset("volcano")) == "volcano, from noise"
    assert describe(preset("feathers")) == "channel 30 of layer 10, in steps"
    assert (
        describe(Recipe.of({"layer": "10:1,2,3,4"})) == "channels 1, 2, 3 … of layer 10, in steps"
    )


# The walk.


def take_all(walk: Exploration) -> None:
    for index, _ in walk.wanted():
        walk.take(index, LookAnswer(index, True, "", PICTURE))


def test_a_chosen_cell_becomes_the_middle_with_its_look() -> None:
    walk = Exploration(DEFAULT, THINGS, 2.0)
    walk.take(0, LookAnswer(0, False, "", PICTURE))
    chosen = walk.place.cells[0].recipe
    walk.choose(0)
    assert walk.middle.recipe == chosen
    assert walk.middle.picture == PICTURE
    assert next(index for index, _ in walk.wanted()) == MIDDLE
    assert len(walk.wanted()) == 9, "a rough look is not the last one"


def test_back_and_forth_return_to_the_same_looks() -> None:
    walk = Exploration(DEFAULT, THINGS, 2.0)
    take_all(walk)
    assert not walk.wanted()
    first = walk.place
    walk.choose(2)
    second = walk.place
    assert walk.can_go_back and not walk.can_go_forward
    walk.back()
    assert walk.place is first and not walk.wanted() and not walk.can_go_back
    walk.back()
    assert walk.place is first
    walk.forward()
    assert walk.place is second
    walk.back()
    walk.surprise()
    assert not walk.can_go_forward, "what was ahead is forgotten"


def test_choosing_the_middle_changes_nothing() -> None:
    walk = Exploration(DEFAULT, THINGS, 2.0)
    place = walk.place
    walk.choose(MIDDLE)
    assert walk.place is place


def test_a_refused_recipe_keeps_its_reason() -> None:
    walk = Exploration(DEFAULT, THINGS, 2.0)
    walk.take(1, LookAnswer(1, True, "No such layer.", None))
    assert (walk.place.cells[1].text, walk.place.cells[1].picture) == ("No such layer.", None)
    assert 1 not in [index for index, _ in walk.wanted()]


def test_looks_have_a_fixed_seed_and_the_recipe_its_own() -> None:
    walk = Exploration(replace(DEFAULT, seed=0), THINGS, 2.0)
    assert all(recipe.seed == 1 for _, recipe in walk.wanted())
    assert walk.middle.recipe.seed == 0


def test_the_middle_says_how_it_differs_from_the_settings() -> None:
    values: dict[str, Any] = {"layer": "features.10", "octaves": 1}
    assert Exploration(Recipe.of(values), THINGS, 4.0).middle.name.endswith("octaves more")
    assert Exploration(DEFAULT, THINGS, 4.0).middle.name == "your settings"
