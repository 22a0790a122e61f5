"""Expressions for what to amplify: a text that all front ends share, and values with an algebra.

    features.10                     the squares of all activations of a layer (also: 10)
    features.10:mean                their plain mean
    features.10:30                  a channel; several: features.10:30,115
    features.10:30@0.5,0.25         a channel in one place: halfway across, a quarter down
    features.10:direction(3 7=0.5)  a direction in the space of channels, here 3 and half of 7
    features.10:guide               the features of a guide (argmax-dot); or features.10:cosine
    class:castle                    a class that the network knows, by name or number
    kind:dogs                       a kind of things: the channels that count for its classes

Targets can be added, weighted and subtracted: `10:30 + class:"lakeside, lakeshore"*0.5 -
features.3`. An expression does not depend on a network; the daemon checks whether the layer exists.
Objectives with an algebra and a description are an idea of lucid (optvis/objectives.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .errors import ExpressionError, mark
from .grammar import read
from .target import Target, Terms, number_text, scaled

__all__ = [
    "Expression", "ExpressionError", "Target", "channel", "class_", "cosine", "direction", "guide",
    "kind", "layer", "mark", "mean", "parse", "unit",
]  # fmt: skip

TERMS_MAX = 32
WEIGHT_MAX = 1e6


@dataclass(frozen=True)
class Expression:
    """A sum of weighted targets; at least one, and no weight is 0.

    Attributes:
        terms: pairs of weight and target.
        text: the text as written; the targets' spans refer to it. `str()` gives the canonical
            text, which `parse` turns into the same expression.
    """

    terms: Terms
    text: str = field(compare=False)

    def __post_init__(self) -> None:
        if not self.terms:
            raise ExpressionError("All weights are 0, so there is nothing to amplify.")
        if len(self.terms) > TERMS_MAX:
            raise ExpressionError(
                f"{len(self.terms)} targets are too many to amplify: use at most {TERMS_MAX}."
            )
        for weight, target in self.terms:
            if not 0 < abs(weight) <= WEIGHT_MAX:  # also for NaN
                raise ExpressionError(
                    f"A weight can be at most {WEIGHT_MAX:g}, but “{target}” has {weight:g}."
                )

    def __str__(self) -> str:
        return _composed(self.terms).text

    def __add__(self, other: Expression) -> Expression:
        if not isinstance(other, Expression):
            return NotImplemented
        return _composed(self.terms + other.terms)

    def __radd__(self, other: int) -> Expression:
        return self if other == 0 else NotImplemented  # sum() begins with 0

    def __neg__(self) -> Expression:
        return self * -1

    def __sub__(self, other: Expression) -> Expression:
        return self + -other if isinstance(other, Expression) else NotImplemented

    def __mul__(self, factor: float) -> Expression:
        if not isinstance(factor, int | float):
            return NotImplemented
        return _composed(scaled(self.terms, factor))

    __rmul__ = __mul__

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers as written, without repetitions, in the order of the text."""
        return tuple(dict.fromkeys(target.layer for _, target in self.terms if target.layer))

    @property
    def needs_guide(self) -> bool:
        return any(target.kind in ("guide", "cosine") for _, target in self.terms)

    @property
    def needs_classes(self) -> bool:
        return any(target.kind == "class" for _, target in self.terms)


def parse(text: str) -> Expression:
    """Parse an expression.

    Raises:
        ExpressionError: one sentence that quotes the text and marks the place.
    """
    return Expression(read(text), text)


# Constructors. Each raises ExpressionError for what has no text.


def layer(name: str) -> Expression:
    """The squares of all activations of a layer: amplifies whatever it responds to."""
    return _single(Target("squares", name))


def mean(name: str) -> Expression:
    """The plain mean of all activations of a layer."""
    return _single(Target("mean", name))


def channel(name: str, *numbers: int) -> Expression:
    """The mean activation of some channels of a layer."""
    return _single(Target("channels", name, numbers))


def unit(name: str, number: int, x: float, y: float) -> Expression:
    """A channel in the single cell at x, y (0 to 1) of the picture."""
    return _single(Target("unit", name, (number,), place=(x, y)))


def direction(name: str, weights: Mapping[int, float]) -> Expression:
    """A direction in channel space: dot product times cosine similarity."""
    values = tuple(float(weight) for weight in weights.values())
    return _single(Target("direction", name, tuple(weights), values))


def guide(name: str) -> Expression:
    """Each cell towards the most similar cell of the guide picture (argmax-dot, 2015)."""
    return _single(Target("guide", name))


def cosine(name: str) -> Expression:
    """Cosine similarity of the mean activations to the guide picture's."""
    return _single(Target("cosine", name))


def class_(label: str | int) -> Expression:
    """The logit of a class, by name or number."""
    return _single(Target("class", label=str(label)))


def kind(label: str) -> Expression:
    """A kind of things by its name, such as dogs."""
    return _single(Target("kind", label=label))


def _single(target: Target) -> Expression:
    """An expression of one target; its text must parse as that target."""
    expression = parse(str(target))
    if expression.terms != ((1.0, target),):
        raise ExpressionError(f"“{target}” is not a single target.")
    return expression


def _composed(terms: Terms) -> Expression:
    """The terms with their canonical text, to which their spans refer."""
    text, placed = "", []
    for weight, target in terms:
        if text:
            text += " - " if weight < 0 else " + "
        elif weight < 0:
            text = "-"
        word = str(target)
        placed.append((weight, replace(target, span=(len(text), len(text) + len(word)))))
        text += word
        if abs(weight) != 1:
            # 10*2 could be layer 10 twice or layer 2 ten times; 10*2.0 can't.
            size = repr(abs(weight)) if word.isdigit() else number_text(abs(weight))
            text += f"*{size}"
    return Expression(tuple(placed), text)
