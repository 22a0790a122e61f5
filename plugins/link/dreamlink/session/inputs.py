"""The pixels behind a dream's request, and the fields of the request that describe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..picture import Picture, Region
from ..recipe.recipe import Recipe
from ..wire.frame_order import in_frame_order
from ..wire.messages import DreamRequest, Frame


class Pixels(NamedTuple):
    """Raw pixels and their layout."""

    layout: Picture
    frame: Frame


@dataclass(frozen=True)
class RequestInputs:
    """Everything that a dream reads.

    Attributes:
        picture: the region to dream in and the surroundings that the network sees.
        mask: what is selected in the region, one byte a pixel, 255 = fully; None for all of it.
        strength: a map as large as the region whose lightness is each pixel's dream strength;
            None for full strength everywhere.
        guide: the picture whose features the dream takes on; None without one.
        dream_map: the colours that the recipe's `bind` names, over the region; None without them.
    """

    picture: Pixels
    mask: Frame | None = None
    strength: Pixels | None = None
    guide: Pixels | None = None
    dream_map: Pixels | None = None

    def request(self, recipe: Recipe, region: Region, **fields: Any) -> DreamRequest:
        """The request that these inputs belong to.

        `region` is the part of the picture to dream in, in the picture's coordinates; `fields`
        are further fields of the request.
        """
        return DreamRequest(
            recipe,
            self.picture.layout,
            region,
            mask=self.mask is not None,
            strength=self.strength.layout if self.strength else None,
            guide=self.guide.layout if self.guide else None,
            dream_map=self.dream_map.layout if self.dream_map else None,
            **fields,
        )

    def frames(self) -> list[Frame]:
        """The frames that follow the request."""
        return in_frame_order(
            self.picture.frame,
            self.mask,
            self.strength.frame if self.strength else None,
            self.guide.frame if self.guide else None,
            self.dream_map.frame if self.dream_map else None,
        )
