"""What fires in a picture, as Explore offers it: kinds of things, channels and layers, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...recipe.expression import ExpressionError, parse
from ...recipe.target import Target
from ...wire.seeing import Seen, SeenRow
from .layers import layer_name, pull


@dataclass(frozen=True)
class Thing:
    """Something that a network can dream of.

    Attributes:
        model: the network.
        expression: a value of the recipe's `layer`: one target.
        name: in plain English, e.g. "dogs" or "channel 104 of block 12".
        sort: "kinds", "channels" or "layers".
        weight: by which it is multiplied beside others of its sort, so that none drowns another.
    """

    model: str
    expression: str
    name: str
    sort: str
    weight: float = 1.0


def things_of(seen: Seen | None) -> tuple[Thing, ...]:
    """What fires more than usual, each sort from the strongest on; nothing if `seen` is None.

    Left out are kinds that are only recognised: painting them shows nothing that a person names.
    """
    if seen is None:
        return ()
    weights = _weights((each.model, each.expression) for each in seen.together)
    return (
        *_read("kinds", (row for row in seen.kinds if row.expression.startswith("kind:")), weights),
        *_read("channels", seen.channels, weights),
        *_read("layers", seen.layers, weights),
    )


def thing_name(target: Target) -> str:
    """What a target is called, e.g. "dogs", "channel 104 of block 12" or "block 12"."""
    if target.kind in ("kind", "class"):
        return target.label
    layer = layer_name(target.layer)
    if target.kind != "channels":
        return layer
    numbers = ", ".join(str(number) for number in target.channels[:3])
    more = " …" if len(target.channels) > 3 else ""
    return f"channel{'s' if len(target.channels) > 1 else ''} {numbers}{more} of {layer}"


def _read(
    sort: str, rows: Iterable[SeenRow], weights: dict[tuple[str, Target], float]
) -> Iterable[Thing]:
    for row in rows:
        if row.score <= 0:
            continue
        try:
            terms = parse(row.expression).terms
        except ExpressionError:  # a daemon of a later version
            continue
        if len(terms) == 1:
            target = terms[0][1]
            alone = 1 / pull(row.model, target) if target.kind == "squares" else 1.0
            weight = weights.get((row.model, target), alone)
            yield Thing(row.model, row.expression, thing_name(target), sort, weight)


def _weights(together: Iterable[tuple[str, str]]) -> dict[tuple[str, Target], float]:
    """The weight of each channel with which the answer dreams all of them at once."""
    weights: dict[tuple[str, Target], float] = {}
    for model, expression in together:
        try:
            terms = parse(expression).terms
        except ExpressionError:
            continue
        weights |= {(model, target): weight for weight, target in terms if weight > 0}
    return weights
