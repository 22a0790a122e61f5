"""Decodes PPM and PGM files whose samples are written in decimal, or are not bytes of full range.

Pillow decodes them sample by sample, which takes a minute for four megapixels. The results are the
same.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamlayer.files.opening import FileError, InputFile

LETTERS = 16  # of a sample in decimal, with the space around it
COMMENT = re.compile(rb"#[^\r\n]*")


def is_slow(image: Image.Image) -> bool:
    """Whether Pillow would decode this picture sample by sample."""
    tiles = getattr(image, "tile", [])
    return image.mode != "1" and any(tile[0] in ("ppm", "ppm_plain") for tile in tiles)


def decode(image: Image.Image, file: InputFile) -> Image.Image:
    """The picture, in mode L, RGB or, with 16 bits, I;16; raises FileError if it is damaged."""
    ((codec, _box, offset, arguments),) = image.tile  # type: ignore[attr-defined]
    highest = int(arguments[-1])
    deep = image.mode == "I"
    count = image.width * image.height * len(image.getbands())
    samples = (_decimal if codec == "ppm_plain" else _binary)(file, offset, count, highest)
    if samples.size < count:
        raise FileError(f"{file.path} is damaged: it ends too early, or holds what is no number.")
    if samples.min() < 0 or (codec == "ppm_plain" and samples.max() > highest):
        raise FileError(f"{file.path} is damaged: a sample is not between 0 and {highest}.")
    most = 65535 if deep else 255
    levels = np.rint(np.arange(highest + 1) / highest * most).astype("<u2" if deep else np.uint8)
    pixels = levels[np.minimum(samples, highest)]
    mode = "I;16" if deep else image.mode
    return Image.frombytes(mode, image.size, pixels.tobytes())


def _decimal(file: InputFile, offset: int, count: int, _highest: int) -> NDArray[np.int64]:
    text = COMMENT.sub(b"", file.read(offset, LETTERS * count + (1 << 20)))
    numbers = re.match(rb"[0-9\s]*", text)
    if numbers is None or not numbers[0].strip():
        return np.empty(0, np.int64)
    return np.fromstring(numbers[0].decode("ascii"), np.int64, sep=" ")[:count]


def _binary(file: InputFile, offset: int, count: int, highest: int) -> NDArray[np.int64]:
    kind = np.dtype(np.uint8 if highest < 256 else ">u2")
    data = file.read(offset, count * kind.itemsize)
    return np.frombuffer(data, kind, len(data) // kind.itemsize).astype(np.int64)
