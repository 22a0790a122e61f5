"""The dream map among the last values.

GIMP keeps no layers there, but the text that binds the map's colours, which alone would be refused.
So a text says which layer it was.
"""

from __future__ import annotations

import json
from typing import Any

from gi.repository import Gimp

from .arguments import BIND, LAST_MAP, MAP


def remember(config: Any) -> None:
    """Let the last values name the map that is chosen now."""
    layer = config.get_property(MAP)
    there = layer is not None and layer.is_valid()
    config.set_property(LAST_MAP, _key(layer) if there else "")


def recall(config: Any, image: Any, forget: bool) -> None:
    """Choose the last dream's map again if it is in this image.

    With `forget`, a map that is not, and its colours, are forgotten: they belonged to another
    image's dream, and the dialog would begin with a refusal.
    """
    layer, key = config.get_property(MAP), config.get_property(LAST_MAP)
    if layer is None:
        if not key:
            return
        layer = _find(key)
    if layer is not None and layer.is_valid() and layer.get_image() == image:
        config.set_property(MAP, layer)
    elif forget:
        config.set_property(MAP, None)
        config.set_property(BIND, "")


def _key(layer: Any) -> str:
    """What tells a layer from others; a number alone may be another layer's in GIMP's next run."""
    return json.dumps([layer.get_id(), layer.get_tattoo(), layer.get_name()])


def _find(key: str) -> Any:
    """The layer with a key; None if there is none."""
    number = json.loads(key)[0]
    layer = Gimp.Item.get_by_id(number) if Gimp.Item.id_is_valid(number) else None
    return layer if layer is not None and _key(layer) == key else None
