"""The record of a dream, stored with its layer: its recipe, and the layers it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gi.repository import Gimp

from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.dream_record import DreamRecord, origin

from ..call.options import CallOptions

RECIPE = "dreamlayer-recipe"  # the recipe as JSON
ORIGIN = "dreamlayer-origin"  # tattoos as JSON: numbers of layers that are saved with the image
NO_TATTOO = 0


@dataclass(frozen=True)
class LayerRecord:
    """A record that was read back from a layer; layers that no longer exist are None."""

    recipe: Recipe
    source: Any
    guide: Any
    strength: Any
    dream_map: Any


def store(layer: Any, recipe: Recipe, drawable: Any, options: CallOptions) -> None:
    """Attach the record to a dream's layer."""
    image = drawable.get_image()
    tattoos = [_tattoo(image, item) for item in (drawable, options.guide, options.strength)]
    if options.dream_map is not None:
        tattoos.append(_tattoo(image, options.dream_map))
    for name, value in ((RECIPE, recipe.to_dict()), (ORIGIN, origin(*tattoos))):
        data = json.dumps(value).encode()
        layer.attach_parasite(Gimp.Parasite.new(name, Gimp.PARASITE_PERSISTENT, data))


def load(image: Any, layer: Any) -> LayerRecord | None:
    """The record of a layer; None if it is not a dream, or of a version that we can't read."""
    values = _read(layer, RECIPE)
    if not values:
        return None
    try:
        record = DreamRecord.of(values, _read(layer, ORIGIN))
    except RecipeError:
        return None
    if record.unknown:
        return None
    tattoos = (record.source, record.guide, record.strength, record.dream_map)
    return LayerRecord(record.recipe, *(_item(image, tattoo) for tattoo in tattoos))


def dreams_above(image: Any, drawable: Any) -> Iterator[tuple[Any, LayerRecord]]:
    """The dreams of a layer that lie above it in its group, with their records, nearest first."""
    parent = drawable.get_parent()
    siblings = parent.get_children() if parent else image.get_layers()
    for layer in reversed(siblings[: image.get_item_position(drawable)]):
        record = load(image, layer)
        if record is not None and record.source == drawable:
            yield layer, record


def _read(layer: Any, name: str) -> dict[str, Any]:
    parasite = layer.get_parasite(name)
    try:
        value = json.loads(bytes(parasite.get_data())) if parasite else {}
    except ValueError:  # neither JSON nor text
        value = {}
    return value if isinstance(value, dict) else {}


def _tattoo(image: Any, drawable: Any) -> int:
    if drawable is None or drawable.get_image() != image:
        return NO_TATTOO
    number: int = drawable.get_tattoo()
    return number


def _item(image: Any, tattoo: object) -> Any:
    if not isinstance(tattoo, int) or tattoo == NO_TATTOO:
        return None
    return image.get_layer_by_tattoo(tattoo) or image.get_channel_by_tattoo(tattoo)
