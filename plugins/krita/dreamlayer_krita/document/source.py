"""The pixels of a layer to dream on, and the request made from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.inputs import Pixels, RequestInputs
from dreamlink.wire.messages import DreamRequest, Frame

from .color_space import ColorSpace

OPAQUE_SAMPLE = {"U8": b"\xff", "U16": b"\xff\xff", "F16": b"\x00\x3c", "F32": b"\x00\x00\x80\x3f"}
PIECE = 1 << 18  # bytes looked at in one go
WHOLE = bytes([0]) + bytes([255]) * 255  # every selected pixel counts as fully selected


@dataclass(frozen=True)
class LayerSource:
    """A layer's pixels, and what is needed to add the dream above it later.

    Attributes:
        node_id: the layer's unique id; it survives undo and redo.
        space: the layer's colour space.
        picture: layout of `pixels`.
        region: the rectangle to dream in, in the coordinates of `pixels`.
        place: the same rectangle on the canvas.
        canvas: the whole canvas.
        edges: which sides of the region are edges of the layer on the canvas.
        pixels: the region and its context.
        selection: the selection in the region, one byte a pixel; None: all is selected.
        as_mask: whether the selection becomes a transparency mask; otherwise the dream's alpha.
        strength: the strength map of the region.
        guide: the guide picture.
        dream_map: the colours over the region that the recipe binds.
        guide_id, strength_id, dream_map_id: the arguments of `layer_io.read` that these were read
            from.
        opaque: whether the dream of strength 0 hides all of what is below it.
        covered: whether the dream covers all of the layer that the canvas shows.
        above: the unique id of the layer to add the dream above; None: the source itself.
    """

    document: Any
    node_id: Any
    name: str
    space: ColorSpace
    picture: Picture
    region: Region
    place: Region
    canvas: Region
    edges: Edges
    pixels: Frame
    selection: Frame | None = None
    as_mask: bool = False
    strength: Pixels | None = None
    guide: Pixels | None = None
    guide_id: Any = None
    strength_id: Any = None
    dream_map: Pixels | None = None
    dream_map_id: Any = None
    opaque: bool = True
    covered: bool = True
    above: Any = None

    @property
    def mask(self) -> Frame | None:
        """The selection as it is sent: for a transparency mask every part counts as full."""
        if self.selection is None or not self.as_mask:
            return self.selection
        return bytes(self.selection).translate(WHOLE)

    def request(self, recipe: Recipe, **options: Any) -> DreamRequest:
        """The request for the daemon; `options` are further fields of it."""
        selected = self.selection is not None
        clip = selected and not self.as_mask
        return self._inputs(self.selection).request(
            recipe, self.region, clip=clip, edges=self.edges, **options
        )

    def frames(self) -> list[Frame]:
        """The frames that follow the request."""
        return self._inputs(self.mask).frames()

    def _inputs(self, mask: Frame | None) -> RequestInputs:
        picture = Pixels(self.picture, self.pixels)
        return RequestInputs(picture, mask, self.strength, self.guide, self.dream_map)


def is_opaque(picture: Picture, frame: Frame, region: Region) -> bool:
    """Whether all pixels of a region of a picture are opaque; its last sample is the opacity."""
    sample = OPAQUE_SAMPLE[picture.depth]
    size = picture.samples * len(sample)
    line, view = picture.width * size, memoryview(frame).cast("B")
    rows = max(1, PIECE // line) if region.width == picture.width else 1
    for top in range(region.y, region.y + region.height, rows):
        count = min(rows, region.y + region.height - top) * region.width
        start = top * line + region.x * size
        piece = bytes(view[start : start + count * size])
        for index, value in enumerate(sample, size - len(sample)):
            if piece[index::size] != bytes([value]) * count:
                return False
    return True
