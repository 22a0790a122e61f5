"""What a dream's layer remembers, saved with it: its recipe, and the layers that it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gi.repository import Gimp

from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.dream_record import DreamRecord, origin

from ..call.options import Options

RECIPE = "dreamlayer-recipe"  # the recipe as JSON
ORIGIN = "dreamlayer-origin"  # tattoos, as JSON: numbers that an image's layers keep in its file
NO_TATTOO = 0


@dataclass(frozen=True)
class Memory:
    """What was read back from a layer; layers that are gone meanwhile are None."""

    recipe: Recipe
    source: Any
    guide: Any
    strength: Any


def keep(layer: Any, recipe: Recipe, drawable: Any, options: Options) -> None:
    """Attach to a dream's layer what `recall` reads."""
    image = drawable.get_image()
    tattoos = (_tattoo(image, item) for item in (drawable, options.guide, options.strength))
    for name, value in ((RECIPE, recipe.to_dict()), (ORIGIN, origin(*tattoos))):
        data = json.dumps(value).encode()
        layer.attach_parasite(Gimp.Parasite.new(name, Gimp.PARASITE_PERSISTENT, data))


def recall(image: Any, layer: Any) -> Memory | None:
    """What a layer remembers; None if it is no dream's, or of a version that we can't read."""
    values = _read(layer, RECIPE)
    if not values:
        return None
    try:
        record = DreamRecord.of(values, _read(layer, ORIGIN))
    except RecipeError:
        return None
    if record.unknown:
        return None
    items = (_find(image, tattoo) for tattoo in (record.source, record.guide, record.strength))
    return Memory(record.recipe, *items)


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


def _find(image: Any, tattoo: object) -> Any:
    if not isinstance(tattoo, int) or tattoo == NO_TATTOO:
        return None
    return image.get_layer_by_tattoo(tattoo) or image.get_channel_by_tattoo(tattoo)
