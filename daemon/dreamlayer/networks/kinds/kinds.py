"""The channels of a network that count for a kind of things, with their usual activations.

A classifier that is a 1 × 1 convolution over the last map says which channels count for which
class. A kind's channels are those that count most for its classes, relative to all classes:

    score of channel c = (mean of W[k, c] over the kind's classes − mean over all) / std over all

`KINDS_FILE` holds the best 16 of each kind, also of those that are seen but not dreamt, and every
channel's mean and standard deviation over free photos, so that loud channels don't win.
`python -m tests.bench.kinds` makes it.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

MENAGERIE = "menagerie"  # each place of the picture grows the kind that it resembles most
ANIMALS = (
    "dogs", "monkeys", "cattle and deer", "songbirds", "water birds", "parrots", "frogs and newts",
    "lizards", "fish", "spiders",
)  # fmt: skip
KINDS_FILE = Path(__file__).parent / "kinds.json"
CALM = 0.1  # of the mean standard deviation, added to each: channels that hardly vary count less


class UnknownKind(ValueError):
    """There is no such kind, or the network has no kinds; the message is for the user."""


@dataclass(frozen=True)
class Kind:
    """A kind of things that a network knows, or several that a place can grow.

    Attributes:
        name: as people call it.
        layer: the full name of the layer whose channels count.
        channels: their numbers, for each of the kinds.
        means: their mean activations over photos.
        spreads: their standard deviations, plus `CALM` times the mean one; > 0.
    """

    name: str
    layer: str
    channels: tuple[tuple[int, ...], ...]
    means: tuple[tuple[float, ...], ...]
    spreads: tuple[tuple[float, ...], ...]


def names(model: str) -> list[str]:
    """The names of a network's kinds; empty if it has none."""
    stored = _stored().get(model)
    return [*stored["kinds"], MENAGERIE] if stored else []


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
    members = ANIMALS if plain == MENAGERIE else (plain,)
    return _kind(stored, plain, [stored["kinds"][member] for member in members])


def seen(model: str) -> dict[str, Kind]:
    """The kinds that a network recognises, by name; empty if it has none.

    Those that it can dream (not the menagerie, which is made of them), and further ones, of which
    no dream showed what a person would name.
    """
    stored = _stored().get(model)
    if stored is None:
        return {}
    own = {**stored["kinds"], **stored["seen"]}
    return {name: _kind(stored, name, [channels]) for name, channels in own.items()}


def _kind(stored: _Stored, name: str, members: Sequence[Sequence[int]]) -> Kind:
    channels = tuple(map(tuple, members))
    calm = CALM * sum(stored["spreads"]) / len(stored["spreads"])
    return Kind(
        name,
        stored["layer"],
        channels,
        tuple(tuple(stored["means"][c] for c in own) for own in channels),
        tuple(tuple(stored["spreads"][c] + calm for c in own) for own in channels),
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
    seen: dict[str, list[int]]  # the same, of kinds that are not dreamt
    means: list[float]
    spreads: list[float]


@functools.cache
def _stored() -> dict[str, _Stored]:
    content: dict[str, _Stored] = json.loads(KINDS_FILE.read_text("utf-8"))
    return content
