"""What may be a neighbour of a recipe, of each sort what is preferred first.

Each offer changes one thing. Kinds and layers that are far from the recipe's own are preferred to
such as it has already, as they are seen better.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...recipe import presets as presets_module
from ...recipe.expression import Expression, parse
from ...recipe.presets import INCLUDED, KEPT
from ...recipe.recipe import Recipe
from ...recipe.target import Target, Terms
from .layers import other_layers, pull
from .recipes import Neighbour, limited, painted_from
from .things import Thing, thing_name

FINEST = 0.8  # size of things that may become finer still: smaller ones can't be seen in a look
LARGEST = 2.2  # the same for those that may become larger: the picture has room for few then
LARGER = 1.6  # times as large things are, of a painted dream
OCTAVES = 2  # more make larger things, of a dream by steps
STRONGER = 1.8  # times
DRAWN = 1.6  # step size of what was painted before: as strong as that was
CALMED = 0.9  # contrast from which on a painted dream may become calmer and still be seen
NEAR = 4  # presets that are near another one in the list
LOUDEST = 6  # things of a sort, of which one is taken
TERMS = 3  # that a mix has at most

Offers = Iterator[Neighbour]


def kinds(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
    """Kinds of things that the picture resembles, which are seen best; else other things."""
    kinds = [thing for thing in _loudest(things) if thing.sort == "kinds"]
    chance.shuffle(kinds)
    yield from dreamed_as(middle, kinds, chance)
    yield from others(middle, things, chance)


def others(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
    """Other things that fire here; of a layer's whole also another layer."""
    offered = [thing for thing in _loudest(things) if thing.sort != "layers"]
    if _sort(middle.expression().terms[0][1].kind) == "layers":
        far = _layers_beside(middle)
        offered += chance.sample(far, min(len(far), LOUDEST // 2))
    chance.shuffle(offered)
    yield from dreamed_as(middle, offered, chance)


def dreamed_as(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
    """Each thing in the middle's manner; kinds are only recognised if they are painted."""
    for thing in things:
        if (thing.model, thing.expression) == (middle.model, str(middle.expression())):
            continue
        recipe = replace(
            _manner(middle), model=thing.model, layer=thing.expression, channels="", start="picture"
        )
        if thing.sort == "kinds":
            spread = chance.choice(("everywhere", "one"))
            recipe = replace(painted_from(recipe), spread=spread)
        yield Neighbour(thing.name, recipe)


def mixes(middle: Recipe, things: Sequence[Thing], chance: random.Random) -> Offers:
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


def finer(middle: Recipe, _things: Sequence[Thing], _chance: random.Random) -> Offers:
    if middle.start == "noise":
        yield Neighbour("into your picture", replace(middle, start="picture", method="steps"))
        return
    if not middle.is_painted or middle.size >= FINEST:
        yield Neighbour("finer", _scaled(middle, 1 / LARGER, -OCTAVES))


def larger(middle: Recipe, _things: Sequence[Thing], _chance: random.Random) -> Offers:
    if middle.start == "picture" and (not middle.is_painted or middle.size <= LARGEST):
        yield Neighbour("larger", _scaled(middle, LARGER, OCTAVES))


def other_method(middle: Recipe, _things: Sequence[Thing], _chance: random.Random) -> Offers:
    if middle.is_painted:
        drawn = replace(middle, method="steps", colour="capped", step_size=DRAWN)
        yield Neighbour("drawn in steps", drawn)
    else:
        yield Neighbour("painted", painted_from(middle))


def tones(middle: Recipe, _things: Sequence[Thing], chance: random.Random) -> Offers:
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
        changed = {key: limited(key, value) for key, value in tones[name].items()}
        yield Neighbour(name, replace(middle, **changed))


def presets(middle: Recipe, _things: Sequence[Thing], chance: random.Random) -> Offers:
    """Presets of the networks that everybody has, those near the middle's in the list first."""
    listed = [
        preset
        for preset in presets_module.PRESETS.values()
        if preset.recipe().model in INCLUDED and preset.recipe().start == "picture"
    ]
    own = presets_module.of(middle)
    place = listed.index(own) if own in listed else chance.randrange(len(listed))
    near = {preset.name: abs(number - place) for number, preset in enumerate(listed)}
    chance.shuffle(listed)
    listed.sort(key=lambda preset: near[preset.name] > NEAR // 2)
    kept = {name: getattr(middle, name) for name in KEPT}
    for preset in listed:
        yield Neighbour(f"{preset.title} (preset)", replace(preset.recipe(), **kept))


def _scaled(middle: Recipe, times: float, octaves: int) -> Recipe:
    if middle.is_painted:
        return replace(middle, size=limited("size", round(middle.size * times, 2)))
    return replace(middle, octaves=limited("octaves", middle.octaves + octaves))


def _manner(middle: Recipe) -> Recipe:
    """The middle, or a painted dream if that is none of the picture."""
    return middle if middle.start == "picture" else painted_from(middle)


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
