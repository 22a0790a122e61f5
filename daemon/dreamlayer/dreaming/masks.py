"""Masks and strength maps: grey pictures that are as large as the picture dreamed on."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from PIL import Image

from dreamlayer.files import reading
from dreamlink.picture import PictureError

Size = tuple[int, int]  # width, height


class GreyPicture(Protocol):
    """A mask or strength map.

    Attributes:
        note: a sentence about its file, or "".
    """

    note: str

    def of_size(self, size: Size) -> Image.Image:
        """It, in mode L, for a picture of this size; raises ValueError if it has another one."""


class GreyFile:
    """One in a file, which is read when the first picture of its size comes, and kept."""

    def __init__(self, path: Path, pixels_max: int) -> None:
        self.note = ""
        self._path = path
        self._pixels_max = pixels_max
        self._image: Image.Image | None = None

    def of_size(self, size: Size) -> Image.Image:
        if self._image is None or self._image.size != size:
            read = reading.read_mask(self._path, size, self._pixels_max)
            self._image, self.note = read.image, read.page_note
        return self._image


class GreyImage:
    """One in memory; `name` is what errors call it."""

    note = ""

    def __init__(self, image: Image.Image, name: str) -> None:
        self._image = reading.light(image)
        self._name = name

    def of_size(self, size: Size) -> Image.Image:
        if self._image.size != size:
            across, down = self._image.size
            raise PictureError(
                f"The {self._name} has {across} × {down} pixels, but the picture has {size[0]} ×"
                f" {size[1]}: they must have the same size."
            )
        return self._image
