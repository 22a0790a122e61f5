"""The channels of a network that count for a kind of things, with their usual activations.

A classifier that is a 1 × 1 convolution over the last map says which channels count for which
class. A kind's channels are those that count most for its classes, relative to all classes:

    score of channel c = (mean of W[k, c] over the kind's classes − mean over all) / std over all

`KINDS_FILE` holds the best 16 of each kind, and every channel's mean and standard deviation over
free photos, so that loud channels don't win. `python -m tests.bench.kinds` makes it.
"""

from __future__ import annotations

import difflib
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

KINDS_FILE = Path(__file__).parent / "kinds.json"
CALM = 0.1  # of the mean standard deviation, added to each: channels that hardly vary count less


class UnknownKind(ValueError):
    """There is no such kind, or the network has no kinds; the message is for the user."""


@dataclass(frozen=True)
class Kind:
    """A kind of things that a network knows.

    Attributes:
        name: as people call it.
        layer: the full name of the layer whose channels count.
        channels: their numbers.
        means: their mean activations over photos.
        spreads: their standard deviations, plus `CALM` times the mean one; > 0.
    """

    name: str
    layer: str
    channels: tuple[int, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]


def names(model: str) -> list[str]:
    """The names of a network's kinds; empty if it has none."""
    stored = _stored().get(model)
    return list(stored["kinds"]) if stored else []


def find(model: str, name: str) -> Kind:
    """A network's kind by its name, in any case.

    Raises:
        UnknownKind: with similar names, or with the networks that have kinds.
    """
    known = names(model)
    if not known:
        raise no_kinds(model)
    plain = " ".join(name.split()).casefold()
    if plain not in known:
        near = difflib.get_close_matches(plain, known, 3, 0.6)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"It knows {', '.join(known)}."
        raise UnknownKind(f"{model} knows no kind of things called {name!r:.60}. {hint}")
    stored = _stored()[model]
    channels = stored["kinds"][plain]
    calm = CALM * sum(stored["spreads"]) / len(stored["spreads"])
    return Kind(
        plain,
        stored["layer"],
        tuple(channels),
        tuple(stored["means"][channel] for channel in channels),
        tuple(stored["spreads"][channel] + calm for channel in channels),
    )


def no_kinds(model: str) -> UnknownKind:
    """The error for a network that has no kinds."""
    return UnknownKind(
        f"{model} has no kinds of things; {' and '.join(_stored())} has. Choose that network,"
        " or a layer of this one."
    )


class _Stored(TypedDict):
    """What the file has of a network."""

    layer: str
    kinds: dict[str, list[int]]  # the channels of each, those that count most first
    means: list[float]
    spreads: list[float]


@functools.cache
def _stored() -> dict[str, _Stored]:
    content: dict[str, _Stored] = json.loads(KINDS_FILE.read_text("utf-8"))
    return content
