"""Eight neighbours of a recipe: each differs from it in one thing that is seen at once.

Where a neighbour lies says what it changes: above are other things to dream of, to the left and
right other sizes of them, below another way to dream them. Which one of its sort it is, a seed
decides; the same seed gives the same neighbours.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...recipe import presets
from ...recipe.expression import Expression, parse
from ...recipe.presets import INCLUDED, KEPT
from ...recipe.recipe import PARAMETERS, Recipe, RecipeError
from ...recipe.target import Target, Terms
from .layers import other_layers, pull
from .things import Thing, thing_name

COUNT = 8  # neighbours
LARGER = 1.6  # times as large things are, of a painted dream
OCTAVES = 2  # more make larger things, of a dream by steps
STRONGER = 1.8  # times
DRAWN = 1.6  # step size of what was painted before: as strong as that was
CALMED = 0.9  # contrast from which on a painted dream may become calmer and still be seen
PART = 0.7  # of the look's side at which the coarsest octave may be, so that two of them are seen
LOUDEST = 6  # things of a sort, of which one is taken
TERMS = 3  # that a mix has at most


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
    return replace(recipe, octaves=_limited("octaves", max(recipe.octaves, least)))


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
    taken = [middle]
    found: list[Neighbour | None] = []
    for sort in (_kinds, _mixes, _others, _finer, _larger, _other_method, _tones, _presets):
        found.append(_first_new(sort(middle, things, chance), taken, reduced))
    for place, neighbour in enumerate(found):
        if neighbour is None:  # there are always presets
            found[place] = _first_new(_presets(middle, things, chance), taken, reduced)
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
    chance.shuffle(here)
    offered = [*_dreamed_as(middle, here[:2], chance), *_presets(middle, (), chance)]
    chance.shuffle(offered)
    chosen = _first_new(iter(offered), list(been), reduced)
    if chosen is None:  # who has seen all of that
        chosen = next(_presets(middle, (), chance))
    tone = next(_tones(chosen.recipe, (), chance))
    recipe = explorable(tone.recipe, reduced, 1.0)
    return Neighbour(f"{chosen.name}, {tone.name}", recipe)


Offers = Iterator[Neighbour]
Sort = Callable[[Recipe, Sequence[Thing], random.Random], Offers]


def _first_new(offers: Offers, taken: list[Recipe], reduced: float) -> Neighbour | None:
    """The first valid recipe that is unlike those `taken`, to which it is added."""
    for offer in offers:
        try:
            recipe = explorable(Recipe.of(offer.recipe.to_dict()), reduced, 1.0)
        except RecipeError:  # e.g. too many terms
            continue
        if _look(recipe) not in [_look(other) for other in taken]:
            taken.append(recipe)
            return Neighbour(offer.name, recipe)
    return None


def _look(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe is seen in a look."""
    shown = {name: value for name, value in recipe.to_dict().items() if name not in KEPT}
    return shown | {"layer": str(recipe.expression()), "channels": ""}


def _others(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
    """Other things that fire here; of a layer's whole also another layer."""
    offered = [thing for thing in _loudest(things) if thing.sort != "layers"]
    if _sort(middle.expression().terms[0][1].kind) == "layers":
        far = _layers_beside(middle)
        offered += chance.sample(far, min(len(far), LOUDEST // 2))
    chance.shuffle(offered)
    yield from _dreamed_as(middle, offered, chance)


def _kinds(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
    """Kinds of things that the picture resembles, which are seen best; else other things."""
    kinds = [thing for thing in _loudest(things) if thing.sort == "kinds"]
    chance.shuffle(kinds)
    yield from _dreamed_as(middle, kinds, chance)
    yield from _others(middle, things, chance)


def _dreamed_as(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
    """Each thing in the middle's manner; kinds are only recognised if they are painted."""
    for thing in things:
        recipe = replace(
            _manner(middle), model=thing.model, layer=thing.expression, channels="", start="picture"
        )
        if thing.sort == "kinds":
            spread = chance.choice(("everywhere", "one"))
            recipe = replace(recipe, method="painted", spread=spread)
        yield Neighbour(thing.name, recipe)


def _manner(middle: Recipe) -> Recipe:
    """The middle, or a painted dream if that is none of the picture."""
    return middle if middle.start == "picture" else replace(middle, method="painted", steps=11)


def _mixes(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
    """The middle with something else of the same sort, both as strong."""
    terms = middle.expression().terms
    sorts = {_sort(target.kind) for _, target in terms}
    if len(terms) >= TERMS or len(sorts) != 1 or min(weight for weight, _ in terms) < 0:
        return
    beside = [thing for thing in _loudest(things) if thing.model == middle.model]
    beside = [thing for thing in beside if {thing.sort} == sorts]
    if sorts == {"layers"}:
        beside = _layers_beside(middle)
    chance.shuffle(beside)
    weights = {parse(thing.expression).terms[0][1]: thing.weight for thing in things}
    for thing in beside:
        target = parse(thing.expression).terms[0][1]
        if target in [own for _, own in terms]:
            continue
        alone = len(terms) == 1
        own = [
            (
                weights.get(each, _weight(middle.model, each, thing.weight)) if alone else weight,
                each,
            )
            for weight, each in terms
        ]
        mixed = sum_of([*own, (thing.weight, target)])
        yield Neighbour(
            f"with {thing.name}",
            replace(_manner(middle), layer=mixed, channels="", start="picture"),
        )


def _layers_beside(middle: Recipe) -> list[Thing]:
    """The layers of the middle's network that draw something else."""
    layer = middle.expression().terms[0][1].layer
    return [
        Thing(
            middle.model, str(target), thing_name(target), "layers", 1 / pull(middle.model, target)
        )
        for target in other_layers(middle.model, layer)
    ]


def _weight(model: str, target: Target, beside: float) -> float:
    """What a target is multiplied by; if that is not known, as much as what is beside it."""
    return 1 / pull(model, target) if target.kind == "squares" else beside


def sum_of(terms: Terms | Sequence[tuple[float, Target]]) -> str:
    """The text of a sum of targets: the largest weight is 1, the others have three digits."""
    most = max(weight for weight, _ in terms)
    rounded = tuple((float(f"{weight / most:.3g}"), target) for weight, target in terms)
    return str(Expression(rounded, "") * 1.0)


def _finer(middle: Recipe, _things: Sequence[Thing], _chance: random.Random) -> Offers:
    if middle.start == "noise":
        yield Neighbour("into your picture", replace(middle, start="picture", method="steps"))
        return
    yield Neighbour("finer", _scaled(middle, 1 / LARGER, -OCTAVES))
    yield Neighbour("much finer", _scaled(middle, LARGER**-2, -2 * OCTAVES))


def _larger(middle: Recipe, _things: Sequence[Thing], _chance: random.Random) -> Offers:
    if middle.start == "noise":
        return
    yield Neighbour("larger", _scaled(middle, LARGER, OCTAVES))
    yield Neighbour("much larger", _scaled(middle, LARGER**2, 2 * OCTAVES))


def _scaled(middle: Recipe, times: float, octaves: int) -> Recipe:
    if middle.is_painted:
        return replace(middle, size=_limited("size", round(middle.size * times, 2)))
    return replace(middle, octaves=_limited("octaves", middle.octaves + octaves))


def _other_method(middle: Recipe, _things: Sequence[Thing], _chance: random.Random) -> Offers:
    if middle.is_painted:
        drawn = replace(middle, method="steps", colour="capped", step_size=DRAWN)
        yield Neighbour("drawn in steps", drawn)
    else:
        painted = replace(middle, method="painted", start="picture", colour="full")
        yield Neighbour("painted", painted)


def _tones(middle: Recipe, _things: Sequence[Thing], chance: random.Random) -> Offers:
    """Bolder, calmer, or other colours."""
    tones: dict[str, dict[str, float | str]]
    if middle.is_painted:
        tones = {
            "bolder": {"contrast": middle.contrast * STRONGER},
            "more colourful": {"chroma": 1.4, "contrast": middle.contrast * 1.3},
        }
        if middle.contrast >= CALMED:
            tones["calmer"] = {"contrast": middle.contrast / STRONGER}
    else:
        tones = {
            "bolder": {"step_size": middle.step_size * STRONGER},
            "calmer": {"step_size": middle.step_size / STRONGER},
            "all colours": {"colour": "full", "calm_colours": 0.2},
            "in light and dark": {"colour": "luminance"},
        }
    names = list(tones)
    chance.shuffle(names)
    for name in names:
        changed = {key: _limited(key, value) for key, value in tones[name].items()}
        yield Neighbour(name, replace(middle, **changed))


def _presets(middle: Recipe, _things: Sequence[Thing], chance: random.Random) -> Offers:
    """Presets of the networks that everybody has, those near the middle's in the list first."""
    listed = [
        preset
        for preset in presets.PRESETS.values()
        if preset.recipe().model in INCLUDED and preset.recipe().start == "picture"
    ]
    own = presets.of(middle)
    place = listed.index(own) if own in listed else chance.randrange(len(listed))
    near = {preset.name: abs(number - place) for number, preset in enumerate(listed)}
    chance.shuffle(listed)
    listed.sort(key=lambda preset: near[preset.name] > 2)
    kept = {name: getattr(middle, name) for name in KEPT}
    for preset in listed:
        yield Neighbour(f"{preset.title} (preset)", replace(preset.recipe(), **kept))


def _loudest(things: Sequence[Thing]) -> list[Thing]:
    """The strongest of each sort."""
    counts: dict[str, int] = {}
    loud = []
    for thing in things:
        counts[thing.sort] = counts.get(thing.sort, 0) + 1
        if counts[thing.sort] <= LOUDEST:
            loud.append(thing)
    return loud


def _sort(kind: str) -> str:
    """The sort of thing that a kind of target is."""
    return {"kind": "kinds", "channels": "channels", "squares": "layers"}.get(kind, kind)


def _limited(name: str, value: Any) -> Any:
    """A value within the parameter's limits, rounded for its field; texts are as they are."""
    row = PARAMETERS[name]
    if row.minimum is None or row.maximum is None:
        return value
    limited = min(row.maximum, max(row.minimum, value))
    return int(limited) if row.kind is int else round(float(limited), 2)


def describe(recipe: Recipe) -> str:
    """What a recipe dreams, e.g. "dogs, painted" or "block 12 + block 7, in steps"."""
    terms = recipe.expression().terms
    named = " + ".join(thing_name(target) for _, target in terms[:TERMS])
    more = " …" if len(terms) > TERMS else ""
    manner = "painted" if recipe.is_painted else "in steps"
    return f"{named}{more}, {'from noise' if recipe.start == 'noise' else manner}"
