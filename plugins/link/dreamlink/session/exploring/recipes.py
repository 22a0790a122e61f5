"""What Explore does with single recipes: which can be looked at, and what they are called."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ...recipe.presets import KEPT
from ...recipe.recipe import PARAMETERS, Recipe
from .things import thing_name

PART = 0.7  # of the look's side at which the coarsest octave may be, so that two of them are seen
PAINTED_STEPS = 11  # of what was drawn in steps before
NAMED = 3  # targets of a recipe that are named


@dataclass(frozen=True)
class Neighbour:
    """A recipe, and in a few words how it differs from the one that it was made from."""

    name: str
    recipe: Recipe


def explorable(recipe: Recipe, reduced: float, part: float = PART) -> Recipe:
    """The recipe that a look at a reduced picture can show, for the whole picture.

    A dream by steps gets the octaves that things need to be seen in the look: what is dreamed
    smaller could not be. A dream map and the seamless edges are left out, and of a guide's layer
    all is dreamed.

    Args:
        reduced: how many times smaller the look is than the picture.
        part: of the look's side that its coarsest octave has at most.
    """
    recipe = replace(recipe, bind="", wrap=False)
    if recipe.needs_guide:
        recipe = replace(recipe, layer=recipe.expression().layers[0], channels="")
    if recipe.is_painted or recipe.start == "noise":
        return recipe
    least = math.ceil(round(math.log(max(1.0, reduced) / part, recipe.octave_scale), 6)) + 1
    return replace(recipe, octaves=limited("octaves", max(recipe.octaves, least)))


def painted_from(recipe: Recipe) -> Recipe:
    """A recipe as it is painted into the picture, if need be with more steps, as that takes."""
    if recipe.is_painted:
        return recipe
    steps = max(PAINTED_STEPS, recipe.steps)
    return replace(recipe, start="picture", method="painted", steps=steps, colour="full")


def visible(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe is seen in a look."""
    shown = {name: value for name, value in recipe.to_dict().items() if name not in KEPT}
    return shown | {"layer": str(recipe.expression()), "channels": ""}


def describe(recipe: Recipe) -> str:
    """What a recipe dreams, e.g. "dogs, painted" or "block 12 + block 7, in steps"."""
    terms = recipe.expression().terms
    named = " + ".join(thing_name(target) for _, target in terms[:NAMED])
    more = " …" if len(terms) > NAMED else ""
    manner = "painted" if recipe.is_painted else "in steps"
    return f"{named}{more}, {'from noise' if recipe.start == 'noise' else manner}"


def limited(name: str, value: Any) -> Any:
    """A value within the parameter's limits, rounded for its field; texts are as they are."""
    row = PARAMETERS[name]
    if row.minimum is None or row.maximum is None:
        return value
    limited = min(row.maximum, max(row.minimum, value))
    return int(limited) if row.kind is int else round(float(limited), 2)
