"""The flat colours of a layer that shall be a dream map, bound, so that nobody has to type them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

from ..recipe.bindings import (
    BINDINGS_MAX,
    LEAST_DISTANCE,
    NEXT,
    Binding,
    bindings_text,
    parse_bindings,
)
from ..recipe.errors import RecipeError
from ..recipe.expression import Expression, channel, class_, kind
from ..recipe.recipe import Recipe

LEAST_SHARE = 0.01  # of the opaque pixels; what covers less is an edge or a speck
OPAQUE = 128  # of 255; a colour with less alpha counts as missing for the daemon, too
PIXEL = 4  # bytes
# What new colours get, as long as nobody has chosen: enough for each colour that can be bound.
KINDS = (
    "dogs", "songbirds", "fish", "monkeys", "parrots", "lizards", "spiders", "water birds",
)  # fmt: skip
CLASSES = (
    "castle", "daisy", "goldfish", "peacock", "volcano", "jellyfish", "strawberry", "lion",
)  # fmt: skip
KINDS_MODEL = "squeezenet1_1"  # the network that has kinds
# What windows say that choose a network layer, while a map overrules it.
DECIDES = (
    "The dream map's colours say what is dreamed. What you choose here counts once no dream map is"
    " chosen."
)
OVERRULED = (
    "Chosen, but not dreamed: {}. The dream map decides; choose no dream map to dream of it."
)


def flat_colours(pixels: bytes) -> list[tuple[int, int, int]]:
    """The colours that a map is painted with, the most frequent first.

    At most as many as can be bound, each of at least a hundredth of the opaque pixels, and so far
    apart that the daemon can tell them apart.

    Args:
        pixels: R, G, B, A in 8 bits; a sample of the map does, if its colours were not averaged.

    Raises:
        ValueError: the number of bytes is not one of whole pixels.
    """
    if len(pixels) % PIXEL:
        raise ValueError(f"{len(pixels)} bytes are no pixels of R, G, B and A")
    counts: Counter[tuple[int, int, int]] = Counter()
    # As whole numbers, pixels are counted in C: 65,536 take a few milliseconds.
    for number, count in Counter(memoryview(pixels).cast("I")).items():
        red, green, blue, alpha = number.to_bytes(PIXEL, sys.byteorder)
        if alpha >= OPAQUE:
            counts[red, green, blue] += count
    least = LEAST_SHARE * counts.total()
    found: list[tuple[int, int, int]] = []
    for colour, count in counts.most_common():
        if count < least or len(found) == BINDINGS_MAX:
            break
        if all(_distance(colour, other) >= LEAST_DISTANCE for other in found):
            found.append(colour)
    return found


def bound_text(text: str, colours: Iterable[tuple[int, int, int]], recipe: Recipe) -> str:
    """The text that binds the colours of a map, for the recipe's `bind`.

    What `text` says about a colour, or one that the daemon takes for it, stays; the first new
    colour gets what the recipe amplifies without a map, the others something that its network has.

    Args:
        text: what was bound so far; parts that can't be read are left out.
        colours: as `flat_colours` finds them.
        recipe: only its model, layer and channels count; they may be half typed.
    """
    before = _readable(text)
    kept: dict[tuple[int, int, int], Binding | None] = {}
    for colour in colours:
        near = [bound for bound in before if _distance(bound.colour, colour) < LEAST_DISTANCE]
        kept[colour] = min(near, key=lambda bound: _distance(bound.colour, colour), default=None)
    used = {bound.expression for bound in kept.values() if bound}
    free = (choice for choice in _choices(recipe) if choice not in used)
    return bindings_text(
        Binding(colour, bound.expression if bound else next(free)) for colour, bound in kept.items()
    )


def _readable(text: str) -> list[Binding]:
    """The bindings of a text that may be half typed."""
    found: list[Binding] = []
    for word in NEXT.split(text):
        try:
            found += parse_bindings(word)
        except RecipeError:
            continue
    return found


def _choices(recipe: Recipe) -> list[Expression]:
    """Different expressions for new colours, at least as many as can be bound."""
    try:
        own = [recipe.expression()]
    except RecipeError:  # half typed
        own = []
    if recipe.model == KINDS_MODEL:
        others = [kind(name) for name in KINDS]
    elif own and own[0].layers:
        others = [channel(own[0].layers[0], number) for number in range(1, BINDINGS_MAX + 1)]
    else:
        others = [class_(name) for name in CLASSES]
    return own + [each for each in others if each not in own]


def _distance(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)
