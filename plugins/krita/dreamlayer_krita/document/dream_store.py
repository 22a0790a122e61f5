"""How a layer was dreamed, kept in the picture itself: it survives saving and opening a .kra file.

An annotation of the document has a JSON text, a map from the unique ids of dreamed layers to what
was asked for; the ids survive too. What was selected is an annotation of its own, compressed. No
undo step is made, and an entry outlives its layer, since undo brings that back.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamlink.picture import PictureError, Region, region_of
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.dream_record import (
    RECORDS_MAX,
    DreamRecord,
    RecordError,
    origin,
    read_records,
    write_records,
)

from ..qt.qt import QtCore
from .errors import DocumentError
from .source import Source

DREAMS = "dreamlayer/dreams"
SELECTED = "dreamlayer/selected/"  # and the layer's id
ABOUT = "How Dreamlayer's layers were dreamed"
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
            origin(text_of(source.node_id), text_of(source.guide_id), text_of(source.strength_id)),
            name=source.name,
            selected=None if source.selection is None else list(source.place),
        )
        _keep_selection(document, key, source)
    dreams[key] = entry
    for oldest in list(dreams)[:-RECORDS_MAX]:
        del dreams[oldest]
        document.removeAnnotation(SELECTED + oldest)
    document.setAnnotation(DREAMS, ABOUT, QtCore.QByteArray(write_records(dreams)))


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
        record = DreamRecord.of(values, entry)
    except RecipeError as error:
        raise DocumentError(f"This layer's settings can't be used: {error}") from error
    selected = _selection(document, key, record.selected)
    return Kept(
        record.recipe,
        source_id=str(record.source or ""),
        name=record.name,
        guide_id=record.guide,
        strength_id=record.strength,
        selected=selected,
        too_large=bool(record.selected) and selected is None,
        film=record.film,
        left_out=list(record.unknown),
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
        return read_records(bytes(document.annotation(DREAMS)))
    except RecordError as error:
        raise DocumentError(str(error)) from error


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
