"""What is dreamed on: photos in every layout of pixels, with masks, maps and guides.

All is made of the tests' photos by arithmetic that is the same everywhere, and drawn anew for each
request: no case can spoil another's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.bench.hashed.project import DreamRequest, Edges, Picture, Recipe, Region

PHOTOS = Path(__file__).parents[2] / "pictures"
DTYPES = {"U8": "<u1", "U16": "<u2", "F16": "<f2", "F32": "<f4"}
CHANNELS = {"RGBA": (0, 1, 2, 3), "BGRA": (2, 1, 0, 3), "RGB": (0, 1, 2), "GA": (1, 3), "G": (1,)}
BANDS = ((255, 0, 0), (0, 255, 0), (255, 255, 255))  # of a dream map
Pixels = NDArray[Any]


@dataclass(frozen=True)
class Scene:
    """A picture, and what comes with it.

    Attributes:
        photo: one of the tests'.
        size: width and height that it is reduced to.
        depth, order, curve: of its pixels, as in the link's `Picture`.
        hdr: its light is stretched from below 0 to 3; some pixels are no numbers.
        region: the part that is dreamed in; None: all of it.
        edges: the sides of the region that are said to be the picture's own.
        mask: an ellipse with a soft edge is selected.
        clip: the mask goes into the alpha.
        strength: order of the pixels of a strength map, or "".
        guide: another photo, or "".
        dream_map: three upright bands of flat colours, as in `BANDS`, are its map.
    """

    photo: str = "china.jpg"
    size: tuple[int, int] = (200, 160)
    depth: str = "U8"
    order: str = "RGB"
    curve: str = "srgb"
    hdr: bool = False
    region: Region | None = None
    edges: Edges | None = None
    mask: bool = False
    clip: bool = False
    strength: str = ""
    guide: str = ""
    dream_map: bool = False

    def request(self, recipe: Recipe, **manner: Any) -> tuple[DreamRequest, list[bytes]]:
        """A request to dream here, and its frames."""
        picture = Picture(*self.size, self.depth, self.order, self.curve)
        region = self.region or picture.region
        size = (region.width, region.height)
        frames = [_encoded(photo(self.photo, self.size), picture, self.hdr).tobytes()]
        if self.mask:
            frames.append(ellipse(size).tobytes())
        strength = Picture(*size, "U8", self.strength) if self.strength else None
        if strength is not None:
            frames.append(_encoded(photo("rocket.jpg", size), strength).tobytes())
        guide = Picture(150, 120, "U8", "RGB") if self.guide else None
        if guide is not None:
            frames.append(_encoded(photo(self.guide, (150, 120)), guide).tobytes())
        colours = None
        if self.dream_map:
            colours = Picture(*size, "U8", "RGB")
            frames.append(bands(size).tobytes())
        request = DreamRequest(
            recipe, picture, region, mask=self.mask, guide=guide, edges=self.edges, clip=self.clip,
            strength=strength, dream_map=colours, device="cpu", **manner,
        )  # fmt: skip
        return request, frames


def photo(name: str, size: tuple[int, int]) -> Pixels:
    """The middle of a photo, reduced: (h, w, 3), bytes."""
    with Image.open(PHOTOS / name) as image:
        return np.asarray(ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS))


def ellipse(size: tuple[int, int]) -> Pixels:
    """A selection (h, w), bytes: 0 outside, 255 in the middle, and all that is between."""
    across, down = (np.linspace(-1.0, 1.0, side) for side in size)
    inside = 1.0 - across[None] ** 2 - down[:, None] ** 2
    found: Pixels = np.rint(np.clip(inside * 3.0, 0.0, 1.0) * 255).astype(np.uint8)
    return found


def bands(size: tuple[int, int]) -> Pixels:
    """A dream map (h, w, 3), bytes: as many upright bands as there are colours."""
    numbers = np.arange(size[0]) * len(BANDS) // size[0]
    return np.tile(np.array(BANDS, np.uint8)[numbers], (size[1], 1, 1))


def opacity(size: tuple[int, int]) -> Pixels:
    """An alpha (h, w), bytes, that rises from left to right; both ends are broad."""
    ramp = np.clip(np.linspace(-0.3, 1.3, size[0]), 0.0, 1.0)
    return np.tile(np.rint(ramp * 255).astype(np.uint8), (size[1], 1))


def _encoded(colours: Pixels, picture: Picture, hdr: bool = False) -> Pixels:
    """Bytes (h, w, 3) in a layout of the link."""
    alpha = opacity((picture.width, picture.height))
    values = np.dstack([colours, alpha]).astype(np.float64) / 255
    if picture.curve == "linear":
        values[..., :3] = np.where(
            values[..., :3] <= 0.04045,
            values[..., :3] / 12.92,
            ((values[..., :3] + 0.055) / 1.055) ** 2.4,
        )
    if hdr:
        values[..., :3] = values[..., :3] * 3.2 - 0.2
        values[5:9, 7:20, 0] = np.nan
        values[30, 40:44, :3] = np.inf
    values = values[..., CHANNELS[picture.order]]
    kind = np.dtype(DTYPES[picture.depth])
    if kind.kind == "u":
        values = np.rint(values * np.iinfo(kind).max)
    return values.astype(kind)
