"""The layer that is dreamed on: which part of it, and its pixels as they travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gi.repository import Gimp

from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.inputs import DreamInputs, Pixels
from dreamlink.wire.messages import DreamRequest, Frame

from ..call.errors import Refused
from ..call.options import Options
from . import buffers, layouts, lossless
from .checks import check, refuse_empty
from .guide import Guide
from .place import Place
from .strength_map import StrengthMap

__all__ = ["Source", "check"]

UNSOFTENED = Edges(True, True, True, True)  # the old dream's mask has its feather already


@dataclass(frozen=True)
class Source:
    """A layer as it is when the dream begins. All rectangles are in the layer's coordinates.

    Attributes:
        region: where to dream: the layer, or the box of the selection on it.
        seen: the region and what of the layer surrounds it: what the network sees.
        layout: how the seen pixels travel.
        form: babl's name of that layout; the result is written with the same.
        corner: the region's top-left corner in the image's coordinates.
        mask: the selection in the region, one byte a pixel; None where nothing is selected.
        strength: how strongly each pixel dreams; None for all alike.
        guide: what the dream takes on; None for nothing.
        place: where an older dream lies that this one goes above; None without one.
        window: the display that the call came from; None where there are no windows.
    """

    image: Any
    drawable: Any
    region: Region
    seen: Region
    layout: Picture
    form: str
    corner: tuple[int, int]
    mask: Frame | None
    strength: StrengthMap | None
    guide: Guide | None
    place: Place | None
    window: Any

    @classmethod
    def of(
        cls,
        image: Any,
        drawable: Any,
        recipe: Recipe,
        options: Options,
        place: Place | None = None,
    ) -> Source:
        """Look at a layer, and at the recipe's context around a selection. Raises Refused."""
        check(image, drawable)
        name = drawable.get_name()
        touched, *box = drawable.mask_intersect()
        if not touched:
            raise Refused(
                f"The selection does not touch the layer “{name}”: move it there or choose"
                " Select > None, then call Deep Dream again."
            )
        region = place.region if place and place.region else Region(*box)
        if recipe.start != "noise":  # which fills also what is empty
            refuse_empty(drawable, region)
        whole = Region(0, 0, drawable.get_width(), drawable.get_height())
        seen = region.grow(recipe.context).clip(whole)
        layout, form = layouts.layout(image, drawable, seen)
        _, left, top = drawable.get_offsets()
        selection = place.mask if place else None
        if not Gimp.Selection.is_empty(image):
            buffer = image.get_selection().get_buffer()
            selection = buffers.read(buffer, region.moved(left, top), "Y u8")
        corner = (left + region.x, top + region.y)
        strength: StrengthMap | None = None
        if options.strength is not None:
            strength = StrengthMap.of(options.strength, region.moved(left, top))
        guide = Guide.of(options.guide, recipe)
        window = Gimp.default_display()
        return cls(
            image, drawable, region, seen, layout, form, corner, selection, strength, guide, place,
            window,
        )  # fmt: skip

    def request(self, recipe: Recipe, **fields: Any) -> tuple[DreamRequest, list[Frame]]:
        """What to ask the daemon, with the frames that follow it.

        `fields` are further fields of the request. Raises Refused if a helping layer is gone.
        """
        inputs = DreamInputs(
            Pixels(self.layout, lossless.read(self.drawable, self.seen, self.form)),
            self.mask,
            Pixels(self.strength.layout, self.strength.read()) if self.strength else None,
            Pixels(self.guide.layout, self.guide.read()) if self.guide else None,
        )
        whole = Region(0, 0, self.drawable.get_width(), self.drawable.get_height())
        edges = UNSOFTENED if self.place and self.place.region else self.region.edges(whole)
        fields = {"clip": self.mask is not None, "edges": edges, **fields}
        region = self.region.moved(-self.seen.x, -self.seen.y)
        return inputs.request(recipe, region, **fields), inputs.frames()

    def check_still_there(self) -> None:
        """Raise Refused if the dream has no place any more."""
        # GIMP keeps an image that is closed while a call works on it until the call is over.
        closed = self.window is not None and not self.window.is_valid()
        if closed or not self.image.is_valid():
            raise Refused("The image was closed while its layer dreamed, so the dream was stopped.")
        if not self.drawable.is_valid():
            raise Refused("The layer was removed while it dreamed, so the dream was stopped.")
        gray = self.image.get_base_type() == Gimp.ImageBaseType.GRAY
        if gray != (self.layout.order == "GA"):
            raise Refused(
                "The image's colour mode was changed while its layer dreamed, so the dream was"
                " stopped. Call Deep Dream again."
            )
