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
from . import buffers, dream_store, layouts, lossless
from .checks import check
from .dream_map import DreamMapDrawable
from .guide import GuideDrawable
from .look import LayerLook, active_mask, canvas, is_full, shown
from .placement import DreamPlacement
from .strength_map import StrengthMap

NO_FEATHER = Edges(True, True, True, True)  # the earlier dream's shape has its feather already


@dataclass(frozen=True)
class DrawableSource:
    """A layer when the dream begins. All rectangles are in the layer's coordinates.

    Attributes:
        look: what is dreamed on, readable in `seen`.
        region: where to dream: all of it, or the box of the selection on it.
        seen: the region and the surroundings in the layer that the network sees.
        layout: the layout in which the seen pixels are sent.
        form: babl's name of that layout; the result is written with it too.
        corner: the region's top-left corner in the image's coordinates.
        mask: the selection in the region, one byte a pixel; None if nothing is selected.
        covers: whether the dream covers all that the canvas shows of the layer below it.
        opaque: whether the layer below it is opaque wherever the dream is.
        strength: how strongly each pixel dreams; None for full strength everywhere.
        guide: the guide; None without one.
        dream_map: what grows where; None without one.
        placement: of the earlier dream that is dreamed again; None without one.
        replaced: the dream in whose favour the source is hidden; None if it is not.
        window: the display that the call came from; None if there are no windows.
    """

    image: Any
    drawable: Any
    look: LayerLook
    region: Region
    seen: Region
    layout: Picture
    form: str
    corner: tuple[int, int]
    mask: Frame | None
    covers: bool
    opaque: bool
    strength: StrengthMap | None
    guide: GuideDrawable | None
    dream_map: DreamMapDrawable | None
    placement: DreamPlacement | None
    replaced: Any
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
        placed = placement.region if placement else None
        with shown(drawable) as layer:
            whole = layer.whole
            region = placed or selected(image, drawable, whole)
            seen = region.grow(recipe.context).clip(whole)
            look = layer.part(seen)
        opaque = _is_opaque(look, drawable, region, recipe)
        layout, form = layouts.layout(image, look.form, seen)
        _, left, top = drawable.get_offsets()
        selection = placement.mask if placement else None
        if not Gimp.Selection.is_empty(image):
            buffer = image.get_selection().get_buffer()
            selection = buffers.read(buffer, region.moved(left, top), "Y u8")
        on_canvas = whole.clip(canvas(drawable))
        covers = region.clip(on_canvas) == on_canvas and (selection is None or is_full(selection))
        if placement is not None:
            covers = placement.covered if placed else covers
            opaque = placement.opaque
        corner = (left + region.x, top + region.y)
        in_image = region.moved(left, top)
        strength: StrengthMap | None = None
        if options.strength is not None:
            strength = StrengthMap.of(options.strength, in_image)
        guide = GuideDrawable.of(options.guide, recipe)
        dream_map = DreamMapDrawable.of(options.dream_map, in_image, recipe)
        replaced = None
        if placement is None and not drawable.get_visible():
            dreams = (dream for dream, _ in dream_store.dreams_above(image, drawable))
            replaced = next((dream for dream in dreams if dream.get_visible()), None)
        window = Gimp.default_display()
        return cls(
            image, drawable, look, region, seen, layout, form, corner, selection, covers,
            opaque, strength, guide, dream_map, placement, replaced, window,
        )  # fmt: skip

    @property
    def below(self) -> Any:
        """The layer right below the dream: the source, or a dream of it.

        That is the earlier dream that is repeated, or the one in whose favour the source is hidden.
        """
        if self.placement is not None and self.placement.layer.is_valid():
            return self.placement.layer
        if self.replaced is not None and self.replaced.is_valid():
            return self.replaced
        return self.drawable

    def request(self, recipe: Recipe, **fields: Any) -> tuple[DreamRequest, list[Frame]]:
        """What to ask the daemon, with the frames that follow it.

        `fields` are further fields of the request. Raises CallRefused if guide, strength map or
        dream map were removed.
        """
        inputs = RequestInputs(
            Pixels(self.layout, lossless.read(self.look, self.seen, self.form)),
            self.mask,
            Pixels(self.strength.layout, self.strength.read()) if self.strength else None,
            Pixels(self.guide.layout, self.guide.read()) if self.guide else None,
            self.dream_map.read() if self.dream_map else None,
        )
        placed = self.placement is not None and self.placement.region is not None
        edges = NO_FEATHER if placed else self.region.edges(self.look.whole)
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


def selected(image: Any, drawable: Any, whole: Region) -> Region:
    """The box of the selection on a layer, in its coordinates. Raises CallRefused."""
    if whole.empty:
        raise CallRefused(
            f"The layer “{drawable.get_name()}” has a filter and lies outside the canvas, where"
            " it isn't seen: move it onto the canvas or choose Image > Fit Canvas to Layers, then"
            " call Deep Dream again."
        )
    _, some, x, y, right, bottom = Gimp.Selection.bounds(image)
    if not some:
        return whole
    _, left, top = drawable.get_offsets()
    box = Region(x - left, y - top, right - x, bottom - y).clip(whole)
    if box.empty:
        raise CallRefused(
            f"The selection does not touch the layer “{drawable.get_name()}”: move it there or"
            " choose Select > None, then call Deep Dream again."
        )
    return box


def _is_opaque(look: LayerLook, drawable: Any, region: Region, recipe: Recipe) -> bool:
    """Whether dream and source are opaque all over the region, with the source's mask.

    Raises CallRefused if no dream could be seen there.
    """
    opaque = True
    if recipe.start != "noise" and look.has_alpha:  # noise fills transparent parts too
        alpha = buffers.read(look.buffer, region, "A u8")
        if alpha.count(0) == len(alpha):
            raise CallRefused(
                f"The layer “{drawable.get_name()}” is fully transparent there, so its dream would"
                " be invisible: choose a layer with content, or set Start from to noise."
            )
        opaque = is_full(alpha)
    mask = active_mask(drawable)
    return opaque and (mask is None or is_full(buffers.read(mask.get_buffer(), region, "Y u8")))
