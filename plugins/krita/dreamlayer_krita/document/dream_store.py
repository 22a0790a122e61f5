"""Stores in the document how its layers were dreamed; a .kra file keeps it.

One annotation of the document is a JSON text that maps the unique ids of dreamed layers, which the
file keeps too, to their settings. Each selection is a compressed annotation of its own. Storing
makes no undo step, and an entry outlives its layer, since undo may restore that.
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
from .source import LayerSource

DREAMS = "dreamlayer/dreams"
SELECTED = "dreamlayer/selected/"  # followed by the layer's id
ABOUT = "How Dreamlayer's layers were dreamed"
SELECTED_MAX = 1 << 24  # pixels of a selection; compressing more would take noticeable time


@dataclass(frozen=True)
class StoredDream:
    """The stored settings of a dreamed layer.

    Attributes:
        recipe: the recipe, with the seed.
        source_id, name: the layer that was dreamed on.
        guide_id, strength_id, dream_map_id: the layers used as guide, strength map and dream map,
            or None; the strength map may be "selection".
        selected: the selection's box and its values, one byte a pixel; None without a selection.
        too_large: whether there was a selection that was too large to be stored.
        film: the film's settings, of an animated layer.
        left_out: stored parameters that this version of Dreamlayer does not have.
    """

    recipe: Recipe
    source_id: str = ""
    name: str = ""
    guide_id: str | None = None
    strength_id: str | None = None
    dream_map_id: str | None = None
    selected: tuple[Region, bytes] | None = None
    too_large: bool = False
    film: Mapping[str, Any] | None = None
    left_out: list[str] = field(default_factory=list)


def store(
    document: Any,
    node_id: Any,
    recipe: Recipe,
    source: LayerSource | None = None,
    film: Mapping[str, Any] | None = None,
) -> None:
    """Store how a layer was dreamed.

    Args:
        document, node_id: the layer's document and unique id.
        recipe: the recipe, with the seed.
        source: what was dreamed on; None: only the recipe has changed.
        film: the film's settings, of an animated layer.

    Raises:
        DocumentError: a newer version stored settings in this picture; they are not changed.
    """
    dreams = _dreams(document)
    key = id_text(node_id)
    entry = dict(dreams.pop(key, {}))
    entry["recipe"] = recipe.to_dict()
    if film is not None:
        entry["film"] = dict(film)
    if source is not None:
        entry.update(
            origin(
                id_text(source.node_id),
                id_text(source.guide_id),
                id_text(source.strength_id),
                id_text(source.dream_map_id),
            ),
            name=source.name,
            selected=None if source.selection is None else list(source.place),
        )
        _store_selection(document, key, source)
    dreams[key] = entry
    for oldest in list(dreams)[:-RECORDS_MAX]:
        del dreams[oldest]
        document.removeAnnotation(SELECTED + oldest)
    document.setAnnotation(DREAMS, ABOUT, QtCore.QByteArray(write_records(dreams)))


def read_recipe(document: Any, node_id: Any) -> Recipe | None:
    """The recipe of a dreamed layer, or None; raises DocumentError as `read_stored`."""
    stored = read_stored(document, node_id)
    return stored.recipe if stored else None


def read_stored(document: Any, node_id: Any) -> StoredDream | None:
    """The stored settings of a dreamed layer, None for other layers.

    Raises:
        DocumentError: they were stored by a newer version, or are invalid.
    """
    key = id_text(node_id)
    entry = _dreams(document).get(key)
    values = entry.get("recipe") if isinstance(entry, dict) else None
    if entry is None or not isinstance(values, dict):
        return None
    try:
        record = DreamRecord.of(values, entry)
    except RecipeError as error:
        raise DocumentError(f"This layer's settings can't be used: {error}") from error
    selected = _read_selection(document, key, record.selected)
    return StoredDream(
        record.recipe,
        source_id=str(record.source or ""),
        name=record.name,
        guide_id=record.guide,
        strength_id=record.strength,
        dream_map_id=record.dream_map,
        selected=selected,
        too_large=bool(record.selected) and selected is None,
        film=record.film,
        left_out=list(record.unknown),
    )


def id_text(node_id: Any) -> str | None:
    """A layer's unique id as a text; a text or None is returned unchanged."""
    return node_id if node_id is None or isinstance(node_id, str) else str(node_id.toString())


def find_layer(document: Any, text: str | None) -> Any:
    """The layer with this id, or None."""
    return document.nodeByUniqueID(QtCore.QUuid(text)) if text else None


def _dreams(document: Any) -> dict[Any, Any]:
    try:
        return read_records(bytes(document.annotation(DREAMS)))
    except RecordError as error:
        raise DocumentError(str(error)) from error


def _store_selection(document: Any, key: str | None, source: LayerSource) -> None:
    name = f"{SELECTED}{key}"
    if source.selection is None or source.place.width * source.place.height > SELECTED_MAX:
        document.removeAnnotation(name)
        return
    packed = zlib.compress(source.selection, 1)
    document.setAnnotation(name, ABOUT, QtCore.QByteArray(packed))


def _read_selection(document: Any, key: str | None, place: object) -> tuple[Region, bytes] | None:
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
