"""One target to amplify, and its text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from .errors import Span

# A class name that needs no quotes in any expression.
BARE_NAME = re.compile(r"(?![\"-])(?:\([^()]*\)|(?!\s-(?:\s|$))[^+*(),])+")

NAMED = ("class", "kind")  # kinds of targets that have a name instead of a layer


@dataclass(frozen=True)
class Target:
    """One target to amplify.

    Attributes:
        kind: "squares", "mean", "channels", "unit", "direction", "guide", "cosine", "class" or
            "kind".
        layer: as it was written, "10" or "features.10"; empty for a class or a kind.
        channels: numbers from 0; one for "unit", at least one for "channels" and "direction".
        weights: one a channel, for "direction".
        place: for "unit": x and y of the picture, 0 to 1, from the top-left corner.
        label: for "class": its name or number; for "kind": its name.
        span: its place in the expression's text; not compared.
    """

    kind: str
    layer: str = ""
    channels: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    place: tuple[float, float] | None = None
    label: str = ""
    span: Span = field(default=(0, 0), compare=False)

    def __str__(self) -> str:
        if self.kind in NAMED:
            return f"{self.kind}:{_quoted(self.label)}"
        if self.kind == "squares":
            return self.layer
        return f"{self.layer}:{self._what()}"

    def _what(self) -> str:
        """The text after the layer's colon."""
        numbers = ",".join(map(str, self.channels))
        if self.kind == "channels":
            return numbers
        if self.kind == "unit" and self.place is not None:
            return f"{numbers}@{number_text(self.place[0])},{number_text(self.place[1])}"
        if self.kind == "direction":
            pairs = zip(self.channels, self.weights, strict=True)
            words = (f"{c}" if w == 1 else f"{c}={number_text(w)}" for c, w in pairs)
            return f"direction({' '.join(words)})"
        return self.kind


Terms = tuple[tuple[float, Target], ...]


def scaled(terms: Terms, factor: float) -> Terms:
    """The terms with their weights times `factor`; terms of weight 0 are dropped."""
    return tuple((weight * factor, target) for weight, target in terms if weight * factor)


def number_text(value: float) -> str:
    """The shortest text that parses as exactly this number."""
    return repr(float(value)).removesuffix(".0") if math.isfinite(value) else str(value)


def _quoted(label: str) -> str:
    bare = BARE_NAME.fullmatch(label) and label == label.strip()
    return label if bare else '"' + label.replace('"', '""') + '"'
