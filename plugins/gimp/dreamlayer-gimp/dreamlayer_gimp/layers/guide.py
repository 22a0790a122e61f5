"""The guide: another layer's picture, whose looks the dream takes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import Frame

from ..call.errors import Refused
from . import buffers

SIDE = 512  # pixels; the daemon sees no more of a guide
# As the network knows colours, and black where there is nothing: what colour a transparent pixel
# has is of no meaning.
FORM = "R'aG'aB'aA u8"


@dataclass(frozen=True)
class Guide:
    """A drawable of any image, of any kind, and how its picture travels: reduced."""

    drawable: Any
    layout: Picture

    @classmethod
    def of(cls, drawable: Any, recipe: Recipe) -> Guide | None:
        """Raises Refused where the recipe and what was chosen as the guide contradict."""
        needed = recipe.expression().needs_guide
        if drawable is None and needed:
            raise Refused(
                f"“{recipe.layer}” needs a guide: choose a layer as the guide, then call Deep Dream"
                " again."
            )
        if drawable is None:
            return None
        if not needed:
            name = recipe.expression().layers[0]
            raise Refused(
                "A guide was chosen, but the network layer does not say what for: write e.g."
                f" “{name}:guide” there, or choose no guide."
            )
        width, height = drawable.get_width(), drawable.get_height()
        longest = max(width, height)
        if longest > SIDE:
            width, height = (max(1, side * SIDE // longest) for side in (width, height))
        return cls(drawable, Picture(width, height, "U8", "RGBA"))

    def read(self) -> Frame:
        """The guide's pixels now. Raises Refused if it was removed."""
        if not self.drawable.is_valid():
            raise Refused("The guide was removed, so nothing was dreamed. Call Deep Dream again.")
        scale = min(1.0, SIDE / max(self.drawable.get_width(), self.drawable.get_height()))
        return buffers.read_scaled(self.drawable.get_buffer(), self.layout.region, FORM, scale)
