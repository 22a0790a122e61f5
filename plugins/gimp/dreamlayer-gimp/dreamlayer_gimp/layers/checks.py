"""Which layers can dream, and what to do about those that can't."""

from __future__ import annotations

from typing import Any

from gi.repository import Gimp

from dreamlink.picture import Region

from ..call.errors import Refused
from . import buffers


def check(image: Any, drawable: Any) -> None:
    """Raise Refused unless the drawable is a layer that can get a dream above it."""
    if not drawable.is_valid():
        raise Refused("The layer was removed before it could dream. Call Deep Dream again.")
    if drawable.is_layer_mask():
        raise Refused(
            "A layer mask is selected, but only a layer can dream: click on the layer's own"
            " picture in the Layers dialog, then call Deep Dream again."
        )
    if not drawable.is_layer():
        raise Refused(
            "A channel is selected, but only a layer can dream: select a layer in the Layers"
            " dialog, then call Deep Dream again."
        )
    _refuse_locked(drawable)
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise Refused(
            "The image has indexed colours, which leave no room for a dream: choose"
            " Image > Mode > RGB first, then call Deep Dream again."
        )
    if image.get_floating_sel() is not None:
        raise Refused(
            "The image has a floating selection: anchor it or make it a layer of its own, then"
            " call Deep Dream again."
        )


def _refuse_locked(drawable: Any) -> None:
    """As GIMP's own filters do: what is locked is to stay as it looks."""
    item = drawable
    while item is not None:
        if item.get_lock_content():
            kind = "layer" if item == drawable else "layer group"
            raise Refused(
                f"The {kind} “{item.get_name()}” is locked: unlock its pixels in the Layers"
                " dialog, then call Deep Dream again."
            )
        item = item.get_parent()


def refuse_empty(drawable: Any, region: Region) -> None:
    """Raise Refused where the region has nothing on it that a dream could change."""
    if drawable.has_alpha():
        alpha = buffers.read(drawable.get_buffer(), region, "A u8")
        if alpha.count(0) == len(alpha):
            raise Refused(
                f"The layer “{drawable.get_name()}” is wholly transparent there, so a dream on it"
                " could not be seen: choose a layer with something on it, or start from noise."
            )
