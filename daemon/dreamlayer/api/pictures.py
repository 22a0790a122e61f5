"""Pictures in memory: PIL images and arrays as the daemon takes them, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from dreamlayer.api.errors import warn
from dreamlayer.files.reading import ImageFile, convert
from dreamlink.picture import Picture, PictureError, Region

DEPTHS = {"uint8": "U8", "uint16": "U16", "float16": "F16", "float32": "F32"}
ORDERS = {1: "G", 2: "GA", 3: "RGB", 4: "RGBA"}  # by samples a pixel
Array = np.ndarray[Any, np.dtype[Any]]


def checked_array(array: Array) -> Array:
    """An array of (H, W, samples), in the byte order of the wire; raises PictureError."""
    if array.dtype.name not in DEPTHS:
        raise PictureError(
            f"An array of {array.dtype.name} can't be dreamed on: convert it to"
            f" {', '.join(DEPTHS)}; floats are 0 to 1."
        )
    samples = array[..., None] if array.ndim == 2 else array
    if samples.ndim != 3 or samples.shape[2] not in ORDERS or not samples.size:
        raise PictureError(
            "An array must have the shape (height, width) or (height, width, n) with n = 1 (grey),"
            f" 2 (grey, alpha), 3 (RGB) or 4 (RGBA), not {array.shape}."
        )
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False)


class ArrayPicture:
    """An array as a source of pixels. It is read during the call and never changed.

    Attributes:
        size: width and height in pixels.
    """

    def __init__(self, array: Array, *, linear: bool) -> None:
        self._given = array
        self._array = checked_array(array)
        self._curve = "linear" if linear else "srgb"
        height, width, _samples = self._array.shape
        self.size = (width, height)

    def layout(self, width: int, height: int) -> Picture:
        depth, order = DEPTHS[self._array.dtype.name], ORDERS[self._array.shape[2]]
        return Picture(width, height, depth, order, self._curve)

    def pixels(self, region: Region) -> bytes:
        x, y, width, height = region
        return self._array[y : y + height, x : x + width].tobytes()

    def result(self, region: Region, pixels: bytes | bytearray) -> Array:
        """A new array like the one given, with a part of it in other pixels."""
        x, y, width, height = region
        part = np.frombuffer(pixels, self._array.dtype).reshape(height, width, -1)
        result = np.array(self._given, self._given.dtype, order="C")
        result.reshape(self._array.shape)[y : y + height, x : x + width] = part
        return result


class ImagePicture(ImageFile):
    """A PIL image as a source of pixels, in a mode that the daemon takes; it is never changed."""

    def result(
        self, region: Region, pixels: bytes | bytearray, stored: Mapping[str, Any]
    ) -> Image.Image:
        """A new image with a part of it in other pixels; `info` also says how it was dreamed."""
        part = Image.frombytes(self.image.mode, (region.width, region.height), bytes(pixels))
        image = self.image.copy()
        image.paste(part, region[:2])
        image.info = {**self.image.info, "dreamlayer": json.dumps(stored)}
        return image


def image_picture(image: Image.Image, name: str) -> ImagePicture:
    """A PIL image in one of the modes that are dreamed on; `name` is what errors call it.

    A conversion that loses something is a warning. Raises FileError.
    """
    info = dict(image.info)
    picture = ImagePicture(image)
    convert(picture, name)
    warn(picture.notes)
    picture.image.info = info
    return picture


def as_image(array: Array) -> Image.Image:
    """An array as an image with 8 bits, for masks, maps and guides; True is white."""
    samples = checked_array(array * np.uint8(255) if array.dtype == bool else array)
    if samples.dtype.kind == "f":
        samples = np.clip(np.nan_to_num(samples.astype(np.float32)), 0, 1) * 255 + 0.5
    elif samples.dtype.itemsize == 2:
        samples = (samples.astype(np.uint32) + 128) // 257
    bytes_ = np.ascontiguousarray(samples.astype(np.uint8))
    if bytes_.shape[2] == 1:
        return Image.fromarray(bytes_[..., 0])
    return Image.fromarray(bytes_)
