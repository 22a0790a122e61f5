"""The layer that is dreamed on: which part of it, and its pixels as they travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gi.repository import Babl, Gimp

from dreamlink.messages import DreamRequest, Frame
from dreamlink.picture import Picture, Region
from dreamlink.recipe import Recipe

from . import buffers
from .errors import Refused
from .options import Options

# Babl's names of 8-bit sRGB; a format of another colour space has that one's name behind it.
PLAIN = ("R'G'B' u8", "R'G'B'A u8", "Y' u8", "Y'A u8")


def check(image: Any, drawable: Any) -> None:
    """Raise Refused unless the drawable is a layer that can get a dream above it."""
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
    window: Any

    @classmethod
    def of(cls, image: Any, drawable: Any, recipe: Recipe, options: Options) -> Source:
        """Look at a layer, and at the recipe's context around a selection. Raises Refused."""
        check(image, drawable)
        name = drawable.get_name()
        touched, *box = drawable.mask_intersect()
        if not touched:
            raise Refused(
                f"The selection does not touch the layer “{name}”: move it there or choose"
                " Select > None, then call Deep Dream again."
            )
        region = Region(*box)
        if recipe.start != "noise":  # which fills also what is empty
            _refuse_empty(drawable, region)
        whole = Region(0, 0, drawable.get_width(), drawable.get_height())
        seen = region.grow(recipe.context).clip(whole)
        layout, form = _layout(image, drawable, seen)
        _, left, top = drawable.get_offsets()
        selection: Frame | None = None
        if not Gimp.Selection.is_empty(image):
            buffer = image.get_selection().get_buffer()
            selection = buffers.read(buffer, region.moved(left, top), "Y u8")
        corner = (left + region.x, top + region.y)
        window = Gimp.default_display()
        return cls(image, drawable, region, seen, layout, form, corner, selection, window)

    def request(self, recipe: Recipe, **more: Any) -> DreamRequest:
        """What to ask the daemon; `more` are other fields of the request."""
        whole = Region(0, 0, self.drawable.get_width(), self.drawable.get_height())
        return DreamRequest(
            recipe,
            self.layout,
            self.region.moved(-self.seen.x, -self.seen.y),
            mask=self.mask is not None,
            clip=self.mask is not None,
            edges=self.region.edges(whole),
            **more,
        )

    def frames(self) -> list[Frame]:
        """The pixels that the network sees, in the layout of the request, and the selection."""
        pixels = buffers.read(self.drawable.get_buffer(), self.seen, self.form)
        return [pixels] if self.mask is None else [pixels, self.mask]

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


def _layout(image: Any, drawable: Any, seen: Region) -> tuple[Picture, str]:
    """How to read the pixels without loss, as the network wants them: encoded as sRGB is.

    8-bit pixels travel as they are if they are plain sRGB. All others travel as floats with the
    primaries of the image's own colour space: wide gamuts and high dynamic range come through,
    and nothing is lost on the way there and back.
    """
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    order = "GA" if gray else "RGBA"
    own = drawable.get_format()
    if Babl.get_name(own) in PLAIN:
        layout = Picture(seen.width, seen.height, "U8", order)
        return layout, "Y'A u8" if gray else "R'G'B'A u8"
    plain = "Y'A float" if gray else "R'G'B'A float"
    form = _in_space_of(own, plain)
    if form != plain:  # another space, and its own curve (') need not be sRGB's (~)
        form = _in_space_of(own, plain.replace("'", "~"))
    return Picture(seen.width, seen.height, "F32", order), form


def _in_space_of(own: Any, form: str) -> str:
    name: str = Babl.get_name(Babl.format_with_space(form, Babl.format_get_space(own)))
    return name


def _refuse_empty(drawable: Any, region: Region) -> None:
    if drawable.has_alpha():
        alpha = buffers.read(drawable.get_buffer(), region, "A u8")
        if alpha.count(0) == len(alpha):
            raise Refused(
                f"The layer “{drawable.get_name()}” is wholly transparent there, so a dream on it"
                " could not be seen: choose a layer with something on it, or start from noise."
            )
