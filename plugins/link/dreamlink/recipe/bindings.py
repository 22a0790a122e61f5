"""The colours of a dream map, each bound to an expression: `#ff0000=10:30; #00ff00=kind:dogs`.

A text, as an expression is, so that it is stored with the recipe and can be typed. The colours are
those of the map as it is shown, in sRGB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from .errors import RecipeError, shortened
from .expression import Expression, ExpressionError, parse

BINDINGS_MAX = 8
LEAST_DISTANCE = 48  # between two colours, in levels of 255, so that they can be told apart
BINDING = re.compile(r"\s*#([0-9a-f]{6})\s*=", re.ASCII | re.IGNORECASE)
NEXT = re.compile(r";\s*(?=#[^;=]*=)")  # a class's name in quotes may contain ; but hardly ;#…=


@dataclass(frozen=True)
class Binding:
    """What one colour of a dream map stands for.

    Attributes:
        colour: R, G, B in 0..255.
        expression: what to amplify there.
    """

    colour: tuple[int, int, int]
    expression: Expression

    def __str__(self) -> str:
        return f"{colour_text(self.colour)}={self.expression.text.strip()}"

    def distance(self, other: Binding) -> float:
        """How far apart two colours are, in levels of 255."""
        pairs = zip(self.colour, other.colour, strict=True)
        return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def parse_bindings(text: str) -> tuple[Binding, ...]:
    """Parse a list of bindings, separated by semicolons; an empty text has none.

    Raises:
        RecipeError: with one sentence for the user.
    """
    words = [word for word in NEXT.split(text.strip().strip(";")) if word.strip()]
    if len(words) > BINDINGS_MAX:
        raise RecipeError(
            f"{len(words)} colours are too many for a dream map: bind at most {BINDINGS_MAX}."
        )
    bindings = tuple(_binding(word) for word in words)
    for one, other in combinations(bindings, 2):
        _check_apart(one, other)
    return bindings


def bindings_text(bindings: Iterable[Binding]) -> str:
    """The text that `parse_bindings` turns into the same bindings."""
    return "; ".join(map(str, bindings))


def colour_text(colour: tuple[int, int, int]) -> str:
    """A colour as people write it, "#ff0000"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _binding(word: str) -> Binding:
    found = BINDING.match(word)
    if found is None:
        raise RecipeError(
            f"“{shortened(word.strip(), 60)}” binds no colour of a dream map: write a colour and"
            " what to dream there, e.g. #ff0000=kind:dogs."
        )
    digits, what = found[1], word[found.end() :].strip()
    colour = (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
    if not what:
        raise RecipeError(
            f"{colour_text(colour)} of the dream map stands for nothing: write what to dream"
            f" there, e.g. {colour_text(colour)}=kind:dogs."
        )
    try:
        return Binding(colour, parse(what))
    except ExpressionError as error:
        raise RecipeError(f"For {colour_text(colour)} of the dream map: {error}") from error


def _check_apart(one: Binding, other: Binding) -> None:
    if one.colour == other.colour:
        raise RecipeError(
            f"{colour_text(one.colour)} is bound twice: a colour of a dream map stands for one"
            " thing, which may be a sum."
        )
    if one.distance(other) < LEAST_DISTANCE:
        raise RecipeError(
            f"{colour_text(one.colour)} and {colour_text(other.colour)} can hardly be told apart:"
            " paint one of them in another colour."
        )
