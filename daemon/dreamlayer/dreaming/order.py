"""What is the same for all pictures of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dreamlayer.dreaming.masks import GreyPicture
from dreamlayer.files.opening import PIXELS_MAX
from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.picture import Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import Header


@dataclass(frozen=True)
class DreamOrder:
    """How every picture of a call is dreamed.

    Attributes:
        recipe: with seed 0, the daemon draws another seed for each picture.
        rectangle: dream only here, in pixels of each picture; None for all of it.
        mask: what is selected of a picture; None for all of it.
        strength: each pixel's dream strength; None for full strength everywhere.
        guide: the picture whose features the dream takes on, in mode RGB; None without one.
        dream_map: the dream map, in mode RGB or RGBA, stretched over each picture; None without.
        device: "auto", "cpu", "cuda" or e.g. "cuda:1".
        gain: whether to measure how much the layer's activity grew.
        pixels_max: megapixels; a larger picture file is refused.
        overwrite: whether a result may replace what it is made from, or what is protected.
        made_from: further files that a result must not replace: the mask, the guide …
    """

    recipe: Recipe
    rectangle: Region | None = None
    mask: GreyPicture | None = None
    strength: GreyPicture | None = None
    guide: Image.Image | None = None
    dream_map: Image.Image | None = None
    device: str = "auto"
    gain: bool = False
    pixels_max: int = PIXELS_MAX
    overwrite: bool = False
    made_from: Sequence[Path] = ()

    def stored(self, report: Header) -> StoredRecipe:
        """What is stored with the result of a dream, from the daemon's report of it."""
        given = [picture is not None for picture in (self.mask, self.guide, self.dream_map)]
        return StoredRecipe(report["recipe"], self.rectangle, *given)
