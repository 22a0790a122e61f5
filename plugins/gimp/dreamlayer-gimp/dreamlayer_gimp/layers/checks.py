"""Checks whether a layer can be dreamed on; the errors say what to do."""

from __future__ import annotations

from typing import Any

from gi.repository import Gimp

from ..call.errors import CallRefused
from .look import refuse_without_look


def check(image: Any, drawable: Any) -> None:
    """Raise CallRefused unless the drawable is a layer that can get a dream above it."""
    if not drawable.is_valid():
        raise CallRefused("The layer was removed before the dream began. Call Deep Dream again.")
    if drawable.is_layer_mask():
        raise CallRefused(
            "A layer mask is selected, but Deep Dream works only on layers: click the layer's own"
            " thumbnail in the Layers dialog, then call Deep Dream again."
        )
    if not drawable.is_layer():
        raise CallRefused(
            "A channel is selected, but Deep Dream works only on layers: select a layer in the"
            " Layers dialog, then call Deep Dream again."
        )
    _refuse_locked(drawable)
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise CallRefused(
            "The image has indexed colours, which are too few for a dream: choose"
            " Image > Mode > RGB, then call Deep Dream again."
        )
    if image.get_floating_sel() is not None:
        raise CallRefused(
            "The image has a floating selection: anchor it or make it a layer of its own, then"
            " call Deep Dream again."
        )
    refuse_without_look(drawable)


def _refuse_locked(drawable: Any) -> None:
    """Refuse locked layers and groups, as GIMP's own filters do."""
    item = drawable
    while item is not None:
        if item.get_lock_content():
            kind = "layer" if item == drawable else "layer group"
            raise CallRefused(
                f"The {kind} “{item.get_name()}” is locked: unlock its pixels in the Layers"
                " dialog, then call Deep Dream again."
            )
        item = item.get_parent()
