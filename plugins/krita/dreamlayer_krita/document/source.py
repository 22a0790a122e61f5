"""What a dream is made of: the pixels that were read from a document, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.inputs import DreamInputs, Pixels
from dreamlink.wire.messages import DreamRequest, Frame

from .color_space import ColorSpace

WHOLE = bytes([0]) + bytes([255]) * 255  # what is selected at all is selected fully


@dataclass(frozen=True)
class Source:
    """A layer's pixels, and what is needed to put the dream above it later.

    Attributes:
        node_id: the layer's unique id; it survives undo and redo.
        space: the layer's colour space.
        picture: layout of `pixels`.
        region: where to dream, in the picture's coordinates.
        place: the same rectangle on the canvas.
        canvas: the whole canvas.
        edges: which of its sides are those of the layer on the canvas.
        pixels: the region and its surroundings.
        selection: what is selected in the region, one byte a pixel, or None for all.
        veiled: whether the dream is to show through a transparency mask, the selection; otherwise
            the selection goes into its alpha.
        strength: a map of the region, how strongly each pixel dreams.
        guide: a picture to dream of.
        guide_id, strength_id: what these two were made of, as they were given to `layer_io.read`.
        above: the layer that the dream is to lie above, if it is not the source itself.
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
    veiled: bool = False
    strength: Pixels | None = None
    guide: Pixels | None = None
    guide_id: Any = None
    strength_id: Any = None
    above: Any = None

    @property
    def mask(self) -> Frame | None:
        """What is sent of the selection; behind a transparency mask all that it shows dreams."""
        if self.selection is None or not self.veiled:
            return self.selection
        return bytes(self.selection).translate(WHOLE)

    def request(self, recipe: Recipe, **options: Any) -> DreamRequest:
        """What to ask of the daemon; `options` are further fields of the request."""
        selected = self.selection is not None
        clip = selected and not self.veiled
        return self._inputs(self.selection).request(
            recipe, self.region, clip=clip, edges=self.edges, **options
        )

    def frames(self) -> list[Frame]:
        """The pixels that follow the request."""
        return self._inputs(self.mask).frames()

    def _inputs(self, mask: Frame | None) -> DreamInputs:
        return DreamInputs(Pixels(self.picture, self.pixels), mask, self.strength, self.guide)
