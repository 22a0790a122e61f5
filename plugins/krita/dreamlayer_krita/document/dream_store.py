"""How a layer was dreamed, kept in the picture itself: it survives saving and opening a .kra file.

An annotation of the document has a JSON text, a map from the unique ids of dreamed layers to what
was asked for; the ids survive too. What was selected is an annotation of its own, compressed. No
undo step is made, and an entry outlives its layer, since undo brings that back.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamlink.picture import PictureError, Region, region_of
from dreamlink.recipe.recipe import PARAMETERS, Recipe, RecipeError

from ..qt.qt import QtCore
from .errors import DocumentError
from .source import Source

DREAMS = "dreamlayer/dreams"
SELECTED = "dreamlayer/selected/"  # and the layer's id
ABOUT = "How Dreamlayer's layers were dreamed"
VERSION = 1
KEPT_MAX = 500  # dreams of one picture; the oldest go
SELECTED_MAX = 1 << 24  # pixels of a selection; compressing more would be felt


@dataclass(frozen=True)
class Kept:
    """What a picture knows of a dreamed layer.

    Attributes:
        recipe: with the seed.
        source_id, name: the layer that was dreamed on.
        guide_id, strength_id: the layers that were guide and strength map, or None; the latter may
            be "selection".
        selected: where the selection was and its values; None if nothing was selected.
        too_large: whether there was a selection that was too large to be kept.
        film: for an animated layer, how the film was made.
        left_out: parameters in the picture that this version of Dreamlayer does not have.
    """

    recipe: Recipe
    source_id: str = ""
    name: str = ""
    guide_id: str | None = None
    strength_id: str | None = None
    selected: tuple[Region, bytes] | None = None
    too_large: bool = False
    film: Mapping[str, Any] | None = None
    left_out: list[str] = field(default_factory=list)


def keep(
    document: Any,
    node_id: Any,
    recipe: Recipe,
    source: Source | None = None,
    film: Mapping[str, Any] | None = None,
) -> None:
    """Write down how a layer was dreamed; without a source only its recipe has changed.

    Raises:
        DocumentError: the picture was stored by a newer version, whose notes are left alone.
    """
    dreams = _dreams(document)
    key = text_of(node_id)
    entry = dict(dreams.pop(key, {}))
    entry["recipe"] = recipe.to_dict()
    if film is not None:
        entry["film"] = dict(film)
    if source is not None:
        entry.update(
            source=text_of(source.node_id),
            name=source.name,
            guide=text_of(source.guide_id),
            strength=text_of(source.strength_id),
            selected=None if source.selection is None else list(source.place),
        )
        _keep_selection(document, key, source)
    dreams[key] = entry
    for oldest in list(dreams)[:-KEPT_MAX]:
        del dreams[oldest]
        document.removeAnnotation(SELECTED + oldest)
    text = json.dumps({"version": VERSION, "dreams": dreams}, ensure_ascii=False)
    document.setAnnotation(DREAMS, ABOUT, QtCore.QByteArray(text.encode()))


def of(document: Any, node_id: Any) -> Recipe | None:
    """The recipe of a dreamed layer, None for other layers; raises DocumentError as `kept`."""
    found = kept(document, node_id)
    return found.recipe if found else None


def kept(document: Any, node_id: Any) -> Kept | None:
    """All that is known of a dreamed layer, None for other layers.

    Raises:
        DocumentError: the picture was stored by a newer version, or what it says can't be used.
    """
    key = text_of(node_id)
    entry = _dreams(document).get(key)
    values = entry.get("recipe") if isinstance(entry, dict) else None
    if entry is None or not isinstance(values, dict):
        return None
    try:
        recipe = Recipe.of({name: values[name] for name in values if name in PARAMETERS})
    except RecipeError as error:
        raise DocumentError(f"This layer's settings can't be used: {error}") from error
    selected = _selection(document, key, entry.get("selected"))
    film = entry.get("film")
    return Kept(
        recipe,
        source_id=str(entry.get("source") or ""),
        name=str(entry.get("name") or ""),
        guide_id=entry.get("guide"),
        strength_id=entry.get("strength"),
        selected=selected,
        too_large=bool(entry.get("selected")) and selected is None,
        film=film if isinstance(film, dict) else None,
        left_out=sorted(str(name) for name in values if name not in PARAMETERS),
    )


def knows(document: Any, node_id: Any) -> bool:
    """Whether a layer was dreamed; cheap, for asking often."""
    try:
        return text_of(node_id) in _dreams(document)
    except DocumentError:
        return False


def text_of(node_id: Any) -> str | None:
    """A layer's unique id as a text; "selection" and None stay."""
    return node_id if node_id is None or isinstance(node_id, str) else str(node_id.toString())


def node_of(document: Any, text: str | None) -> Any:
    """The layer with this id, or None."""
    return document.nodeByUniqueID(QtCore.QUuid(text)) if text else None


def _dreams(document: Any) -> dict[Any, Any]:
    try:
        told = json.loads(bytes(document.annotation(DREAMS)) or b"{}")
    except ValueError:
        return {}  # not ours
    if not isinstance(told, dict):
        return {}
    version = told.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise DocumentError(
            "This picture's dreams were written down by a newer Dreamlayer: run its install.py"
            " again, or their settings can't be read here."
        )
    dreams = told.get("dreams")
    return dreams if isinstance(dreams, dict) else {}


def _keep_selection(document: Any, key: str | None, source: Source) -> None:
    name = f"{SELECTED}{key}"
    if source.selection is None or source.place.width * source.place.height > SELECTED_MAX:
        document.removeAnnotation(name)
        return
    packed = zlib.compress(source.selection, 1)
    document.setAnnotation(name, ABOUT, QtCore.QByteArray(packed))


def _selection(document: Any, key: str | None, place: object) -> tuple[Region, bytes] | None:
    if place is None:
        return None
    try:
        region = region_of(place)
        size = region.width * region.height
        if region.empty or size > SELECTED_MAX:
            return None
        packed = bytes(document.annotation(f"{SELECTED}{key}"))
        values = zlib.decompressobj().decompress(packed, size + 1)
    except (PictureError, zlib.error):
        return None
    return (region, values) if len(values) == size else None
