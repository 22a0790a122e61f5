"""The layer that is dreamed on: the part of it to dream in, and the request with its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gi.repository import Gimp

from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.inputs import Pixels, RequestInputs
from dreamlink.wire.messages import DreamRequest, Frame

from ..call.errors import CallRefused
from ..call.options import CallOptions
from . import buffers, layouts, lossless
from .checks import check, refuse_transparent
from .guide import GuideDrawable
from .placement import DreamPlacement
from .strength_map import StrengthMap

NO_FEATHER = Edges(True, True, True, True)  # the earlier dream's shape has its feather already


@dataclass(frozen=True)
class DrawableSource:
    """A layer when the dream begins. All rectangles are in the layer's coordinates.

    Attributes:
        region: where to dream: the layer, or the box of the selection on it.
        seen: the region and the surroundings in the layer that the network sees.
        layout: the layout in which the seen pixels are sent.
        form: babl's name of that layout; the result is written with it too.
        corner: the region's top-left corner in the image's coordinates.
        mask: the selection in the region, one byte a pixel; None if nothing is selected.
        strength: how strongly each pixel dreams; None for full strength everywhere.
        guide: the guide; None without one.
        placement: of the earlier dream that is dreamed again; None without one.
        window: the display that the call came from; None if there are no windows.
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
    guide: GuideDrawable | None
    placement: DreamPlacement | None
    window: Any

    @classmethod
    def of(
        cls,
        image: Any,
        drawable: Any,
        recipe: Recipe,
        options: CallOptions,
        placement: DreamPlacement | None = None,
    ) -> DrawableSource:
        """What is to be dreamed on a layer. Raises CallRefused."""
        check(image, drawable)
        name = drawable.get_name()
        touched, *box = drawable.mask_intersect()
        if not touched:
            raise CallRefused(
                f"The selection does not touch the layer “{name}”: move it there or choose"
                " Select > None, then call Deep Dream again."
            )
        region = placement.region if placement and placement.region else Region(*box)
        if recipe.start != "noise":  # noise fills transparent parts too
            refuse_transparent(drawable, region)
        whole = Region(0, 0, drawable.get_width(), drawable.get_height())
        seen = region.grow(recipe.context).clip(whole)
        layout, form = layouts.layout(image, drawable, seen)
        _, left, top = drawable.get_offsets()
        selection = placement.mask if placement else None
        if not Gimp.Selection.is_empty(image):
            buffer = image.get_selection().get_buffer()
            selection = buffers.read(buffer, region.moved(left, top), "Y u8")
        corner = (left + region.x, top + region.y)
        strength: StrengthMap | None = None
        if options.strength is not None:
            strength = StrengthMap.of(options.strength, region.moved(left, top))
        guide = GuideDrawable.of(options.guide, recipe)
        window = Gimp.default_display()
        return cls(
            image, drawable, region, seen, layout, form, corner, selection, strength, guide,
            placement, window,
        )  # fmt: skip

    def request(self, recipe: Recipe, **fields: Any) -> tuple[DreamRequest, list[Frame]]:
        """What to ask the daemon, with the frames that follow it.

        `fields` are further fields of the request. Raises CallRefused if guide or
        strength map were removed.
        """
        inputs = RequestInputs(
            Pixels(self.layout, lossless.read(self.drawable, self.seen, self.form)),
            self.mask,
            Pixels(self.strength.layout, self.strength.read()) if self.strength else None,
            Pixels(self.guide.layout, self.guide.read()) if self.guide else None,
        )
        whole = Region(0, 0, self.drawable.get_width(), self.drawable.get_height())
        edges = NO_FEATHER if self.placement and self.placement.region else self.region.edges(whole)
        fields = {"clip": self.mask is not None, "edges": edges, **fields}
        region = self.region.moved(-self.seen.x, -self.seen.y)
        return inputs.request(recipe, region, **fields), inputs.frames()

    def check_still_there(self) -> None:
        """Raise CallRefused if the dream can no longer be added to the image."""
        # GIMP keeps a closed image valid until the call that works on it has ended.
        closed = self.window is not None and not self.window.is_valid()
        if closed or not self.image.is_valid():
            raise CallRefused("The image was closed during the dream, so the dream was stopped.")
        if not self.drawable.is_valid():
            raise CallRefused("The layer was removed during the dream, so the dream was stopped.")
        gray = self.image.get_base_type() == Gimp.ImageBaseType.GRAY
        if gray != (self.layout.order == "GA"):
            raise CallRefused(
                "The image's colour mode was changed during the dream, so the dream was stopped."
                " Call Deep Dream again."
            )
