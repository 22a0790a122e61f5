"""The guide: another layer, whose features the dream takes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import Frame

from ..call.errors import CallRefused
from . import buffers
from .look import LayerLook, refuse_without_look

SIDE = 512  # pixels of the longer side; larger guides are reduced
# sRGB as the network expects, premultiplied: transparent parts are black, whatever their colour.
FORM = "R'aG'aB'aA u8"


@dataclass(frozen=True)
class GuideDrawable:
    """A drawable of any image, of any kind, and the layout of its reduced picture."""

    drawable: Any
    layout: Picture

    @classmethod
    def of(cls, drawable: Any, recipe: Recipe) -> GuideDrawable | None:
        """None without a guide. Raises CallRefused if the recipe and the chosen guide disagree."""
        needed = recipe.needs_guide
        if drawable is None and needed:
            raise CallRefused(
                f"“{recipe.bind or recipe.layer}” needs a guide: choose a layer as the guide, then"
                " call Deep Dream again."
            )
        if drawable is None:
            return None
        if not needed:
            field = "Map colours" if recipe.bindings() else "Network layer"
            layers = (name for each in recipe.expressions() for name in each.layers)
            name = next(layers, Recipe().layer)  # an object names none
            raise CallRefused(
                f"A guide was chosen, but {field} does not use it: enter e.g. “{name}:guide”"
                " there, or choose no guide."
            )
        refuse_without_look(drawable)
        width, height = drawable.get_width(), drawable.get_height()
        longest = max(width, height)
        if longest > SIDE:
            width, height = (max(1, side * SIDE // longest) for side in (width, height))
        return cls(drawable, Picture(width, height, "U8", "RGBA"))

    def read(self) -> Frame:
        """The guide's current look. Raises CallRefused if it was removed."""
        if not self.drawable.is_valid():
            raise CallRefused(
                "The guide was removed, so nothing was dreamed. Call Deep Dream again."
            )
        scale = min(1.0, SIDE / max(self.drawable.get_width(), self.drawable.get_height()))
        look = LayerLook.of(self.drawable, masked=True)
        return buffers.read_scaled(look.buffer, self.layout.region, FORM, scale)
