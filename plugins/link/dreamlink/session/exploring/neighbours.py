"""Eight neighbours of a recipe: each differs from it in one thing that is seen at once.

Where a neighbour lies says what it changes: above are other things to dream of, to the left and
right other sizes of them, below another way to dream them. Which one of its sort it is, a seed
decides; the same seed gives the same neighbours.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ...recipe.recipe import Recipe, RecipeError
from . import offers
from .offers import CALMED, DRAWN, LARGER, NEAR, Offers
from .recipes import Neighbour, explorable, painted_from, visible
from .things import Thing

SORTS = (  # row by row, without the middle
    offers.kinds, offers.mixes, offers.others,
    offers.finer, offers.larger,
    offers.other_method, offers.tones, offers.presets,
)  # fmt: skip
COUNT = len(SORTS)


def neighbours_of(
    middle: Recipe, things: Sequence[Thing], seed: int, reduced: float = 1.0
) -> tuple[Neighbour, ...]:
    """Eight recipes around one, row by row from the top left; none is like another.

    Args:
        middle: explorable.
        things: what fires in the picture, each sort from the strongest on; may be none.
        seed: decides which of the many that there are.
        reduced: as for `explorable`.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    taken = [Neighbour("", middle)]
    found: list[Neighbour | None] = []
    for sort in SORTS:
        found.append(_first_new(sort(middle, things, chance), taken, reduced))
    for place, neighbour in enumerate(found):
        if neighbour is None:  # there are always presets
            found[place] = _first_new(offers.presets(middle, things, chance), taken, reduced)
    return tuple(neighbour for neighbour in found if neighbour is not None)


def surprise(
    been: Sequence[Recipe], things: Sequence[Thing], seed: int, reduced: float = 1.0
) -> Neighbour:
    """A recipe far away: of another network than the last of `been`, or a kind; like none of them.

    The other arguments are those of `neighbours_of`.
    """
    middle = been[-1]
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    here = [thing for thing in things if thing.model != middle.model or thing.sort == "kinds"]
    offered = list(
        offers.dreamed_as(painted_from(middle), chance.sample(here, min(2, len(here))), chance)
    )
    far = list(offers.presets(middle, (), chance))[NEAR:]
    offered += chance.sample(far, 2)
    chance.shuffle(offered)
    bold = [Neighbour(offer.name, _bold(offer.recipe, chance)) for offer in offered]
    chosen = _first_new(iter(bold), [Neighbour("", recipe) for recipe in been], reduced)
    return chosen or Neighbour(bold[0].name, explorable(bold[0].recipe, reduced, 1.0))


def _first_new(offered: Offers, taken: list[Neighbour], reduced: float) -> Neighbour | None:
    """The first valid offer that is unlike those `taken`, to which it is added."""
    for offer in offered:
        try:
            recipe = explorable(Recipe.of(offer.recipe.to_dict()), reduced, 1.0)
        except RecipeError:  # e.g. too many terms
            continue
        looks = [visible(other.recipe) for other in taken]
        if visible(recipe) not in looks and offer.name not in [other.name for other in taken]:
            chosen = Neighbour(offer.name, recipe)
            taken.append(chosen)
            return chosen
    return None


def _bold(recipe: Recipe, chance: random.Random) -> Recipe:
    """A recipe that departs far from the picture, with things of any size."""
    if recipe.is_painted:
        size = chance.choice((1 / LARGER, 1.0, LARGER))
        return replace(recipe, contrast=max(CALMED, recipe.contrast), size=round(size, 2))
    return replace(recipe, step_size=max(DRAWN, recipe.step_size))
