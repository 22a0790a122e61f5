"""The part of a picture to dream in, what is sent of its surroundings, and pasting the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from dreamlayer.files.opening import FileError
from dreamlayer.files.reading import ImageFile
from dreamlink.picture import PictureError, Region, region_of


@dataclass(frozen=True)
class Selection:
    """A part of a picture.

    Attributes:
        region: the pixels to dream in.
        mask: how much each of them changes (mode L, of the region's size), or None: fully.
    """

    region: Region
    mask: Image.Image | None = None

    def with_context(self, picture: Region, context: int) -> Region:
        """The rectangle to send: the region and up to `context` pixels around it."""
        return self.region.grow(context).clip(picture)


def select(size: tuple[int, int], rectangle: Region | None, mask: Image.Image | None) -> Selection:
    """The intersection of a rectangle and a mask (mode L, of the picture's size).

    Raises:
        PictureError: it is empty; the text says why.
    """
    picture = Region(0, 0, *size)
    region = picture if rectangle is None else rectangle.clip(picture)
    if region.empty:
        raise PictureError(
            f"The selection lies outside the picture, which has {size[0]} × {size[1]} pixels."
        )
    if mask is None:
        return Selection(region)
    painted = mask.crop(box(region)).getbbox()
    if painted is None:
        raise PictureError(
            "The mask selects nothing: paint the parts to dream in white, not transparent."
        )
    left, top, right, bottom = painted
    region = Region(region.x + left, region.y + top, right - left, bottom - top)
    return Selection(region, mask.crop(box(region)))


def rectangle_of(text: str) -> Region:
    """The rectangle written "X,Y,W,H"; raises PictureError."""
    try:
        region = region_of([int(word) for word in text.split(",")])
    except ValueError as error:
        raise PictureError(
            f"A selection is X,Y,W,H in whole pixels, e.g. 100,50,200,150, not {text!r:.60}."
        ) from error
    if region.empty:
        raise PictureError("A selection must be at least one pixel wide and high.")
    return region


def refuse_transparent(path: Path, source: ImageFile, selected: Selection) -> None:
    """Raise FileError if what is selected is fully transparent: no dream could be seen there."""
    if source.image.mode not in ("RGBA", "LA"):
        return
    alpha = source.crop(box(selected.region)).getchannel("A")
    if selected.mask is not None:
        alpha = ImageChops.darker(alpha, selected.mask)
    if alpha.getbbox() is None:
        raise FileError(
            f"{path} is fully transparent there, so its dream would be invisible: choose a part"
            " with content, or add --start noise."
        )


def part(source: ImageFile, region: Region, pixels: bytes | bytearray) -> Image.Image:
    """These raw pixels, as a picture of the region's size."""
    return Image.frombytes(source.image.mode, (region.width, region.height), bytes(pixels))


def box(region: Region) -> tuple[int, int, int, int]:
    """Its left, top, right and bottom edge, as Pillow takes them."""
    return region.x, region.y, region.x + region.width, region.y + region.height
