"""Presets: each is a valid recipe, all differ, and misspelt names get suggestions."""

from __future__ import annotations

import pytest
from PIL import Image

from dreamlayer.engine.objectives import binding
from dreamlayer.networks.registry.catalogue import EMBEDDED, MODELS
from dreamlink.recipe.presets import (
    ADJUSTING,
    DEFAULT,
    INCLUDED,
    KEPT,
    PRESETS,
    RETIRED,
    Preset,
    find,
    of,
    values_under,
)
from dreamlink.recipe.recipe import PARAMETERS, Recipe, RecipeError


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_preset_is_a_recipe_that_people_can_choose(preset: Preset) -> None:
    recipe = preset.recipe()
    for name, value in preset.values.items():
        assert getattr(recipe, name) == value
        assert type(value) is PARAMETERS[name].kind
    assert preset.name == preset.name.lower().replace(" ", "-")
    assert preset.title
    assert preset.help.endswith(".")
    assert not recipe.expression().needs_guide  # nobody could choose it without one
    assert recipe.seed == 0


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_network_has_the_layers_that_a_preset_names(preset: Preset) -> None:
    assert binding.layer_names(preset.recipe())


def test_presets_of_networks_that_are_part_of_dreamlayer_need_no_download() -> None:
    assert {name for name, spec in MODELS.items() if spec.weights == EMBEDDED} == set(INCLUDED)
    assert not find("woodcut").needs_download
    assert not find("dogs").needs_download
    assert find("inception").needs_download


def test_presets_differ() -> None:
    assert len({preset.recipe() for preset in PRESETS.values()}) == len(PRESETS)
    assert len({preset.title for preset in PRESETS.values()}) == len(PRESETS)


def test_the_required_presets_exist() -> None:
    models = [preset.recipe().model for preset in PRESETS.values()]
    assert 18 <= sum(model in INCLUDED for model in models) <= 24
    own = [preset for preset in PRESETS.values() if not preset.name.startswith("reference-")]
    assert sum(preset.recipe().model in ("googlenet", "vgg16") for preset in own) >= 6
    reference = [find(f"reference-{n}").recipe() for n in ("25", "27", "2", "25-30", "25-150")]
    assert [recipe.layer for recipe in reference] == ["25", "27", "2", "25:30", "25:150"]
    assert find("reference-27-500").recipe().layer == "27:500"
    assert find("reference-noise").recipe().noise > 0


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_preset_of_a_recipe_is_found_whatever_its_seed(preset: Preset) -> None:
    recipe = Recipe.of({**preset.values, "seed": 7, "tile": 256, "context": 0, "feather": 3.0})
    assert of(recipe) is preset
    assert of(Recipe.of({**preset.values, "steps": 499})) is None
    assert not KEPT & preset.values.keys()


def test_a_misspelt_preset_is_refused_with_suggestions() -> None:
    with pytest.raises(RecipeError, match=r"strawberries\?$"):
        find("strawberry")
    with pytest.raises(RecipeError, match=r"dreamlayer presets\.$"):
        find("xyzzy")


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_presets_of_included_networks_have_thumbnails(preset: Preset) -> None:
    if preset.needs_download:
        assert preset.thumbnail is None
        return
    assert preset.thumbnail is not None
    with Image.open(preset.thumbnail) as image:
        assert (image.format, image.size) == ("JPEG", (96, 96))
    assert preset.thumbnail.stat().st_size < 10_000


@pytest.mark.parametrize(("name", "octaves"), [("eyes", 4), ("bestiary", 5)])
def test_a_retired_name_still_gives_its_recipe_but_is_not_listed(name: str, octaves: int) -> None:
    assert find(name).recipe().octaves == octaves
    assert name not in PRESETS
    assert of(find(name).recipe()) is None  # no front end could select it


def test_retired_and_listed_names_do_not_meet() -> None:
    assert not RETIRED.keys() & PRESETS.keys()


def test_the_default_preset_is_adjusted_but_gives_way_to_a_recipe_of_ones_own() -> None:
    default = PRESETS[DEFAULT].values
    assert values_under([]) == values_under(ADJUSTING) == default
    assert {"seed", "strength", "size"} <= ADJUSTING
    for name in PARAMETERS.keys() - ADJUSTING:
        assert values_under(["seed", name]) == {}, name
