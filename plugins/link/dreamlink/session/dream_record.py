"""The record of a dream that is stored in a document: its recipe, and the layers it was made from.

Each host stores it in its own way: Krita all records of a picture in one text, GIMP two texts with
each layer. The stored names must not change: documents of older versions have them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..recipe.recipe import PARAMETERS, Recipe

VERSION = 1  # of the text with all records of a picture
RECORDS_MAX = 500  # of one picture; the oldest are dropped


class RecordError(ValueError):
    """Stored records that can't be used; the text is one sentence for the user."""


@dataclass(frozen=True)
class DreamRecord:
    """How a layer was dreamed. Layers are stored as the host's own keys, e.g. ids or tattoos.

    Attributes:
        recipe: with the seed.
        source: the layer that was dreamed on.
        guide, strength, dream_map: the guide and the maps; None without one.
        name: what the source was called.
        selected: where the selection was, as stored and not checked; None if nothing was selected.
        film: for an animated layer, how the film was made.
        unknown: stored parameters that this version of Dreamlayer does not have.
    """

    recipe: Recipe
    source: Any = None
    guide: Any = None
    strength: Any = None
    name: str = ""
    selected: object = None
    film: Mapping[str, Any] | None = None
    unknown: tuple[str, ...] = ()
    dream_map: Any = None

    @classmethod
    def of(cls, recipe: Mapping[str, Any], entry: Mapping[str, Any]) -> DreamRecord:
        """A record from a stored recipe, and what else was stored. Raises RecipeError."""
        film = entry.get("film")
        return cls(
            Recipe.of({name: recipe[name] for name in recipe if name in PARAMETERS}),
            source=entry.get("source"),
            guide=entry.get("guide"),
            strength=entry.get("strength"),
            dream_map=entry.get("map"),
            name=str(entry.get("name") or ""),
            selected=entry.get("selected"),
            film=film if isinstance(film, dict) else None,
            unknown=tuple(sorted(str(name) for name in recipe if name not in PARAMETERS)),
        )


def origin(source: Any, guide: Any, strength: Any, dream_map: Any = None) -> dict[str, Any]:
    """What is stored of the layers that a dream was made from."""
    layers = {"source": source, "guide": guide, "strength": strength}
    return layers if dream_map is None else {**layers, "map": dream_map}


def read_records(text: bytes) -> dict[str, Any]:
    """All records of a picture, by layer; none if the text is not Dreamlayer's.

    Raises:
        RecordError: a newer version has stored them, and they must be left alone.
    """
    try:
        stored = json.loads(text or b"{}")
    except ValueError:
        return {}
    if not isinstance(stored, dict):
        return {}
    version = stored.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise RecordError(
            "This picture's dreams were stored by a newer Dreamlayer: run its install.py again to"
            " use their settings."
        )
    dreams = stored.get("dreams")
    return dreams if isinstance(dreams, dict) else {}


def write_records(records: Mapping[str, Any]) -> bytes:
    """The text that `read_records` reads."""
    return json.dumps({"version": VERSION, "dreams": records}, ensure_ascii=False).encode()
