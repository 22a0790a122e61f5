"""A dream map: read, checked, and cut out for what is dreamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dreamlayer.files import reading
from dreamlayer.files.opening import FileError
from dreamlink.picture import Picture, Region
from dreamlink.recipe.bindings import Binding, colour_text
from dreamlink.session.inputs import Pixels

if TYPE_CHECKING:
    from PIL import Image

    from dreamlayer.files.reading import ImageFile

NEAR = 40  # levels of 255: a pixel no further from a bound colour counts as it, as in the daemon
SAMPLES = 1 << 20  # pixels that are looked at to name the colours of a map
NAMED = 4  # colours of the map that an error names


def read_map(path: Path, pixels_max: int, bindings: Sequence[Binding]) -> ImageFile:
    """A dream map, in mode RGB or RGBA.

    Raises:
        FileError: it can't be read, or a bound colour is not on it.
    """
    source = reading.read(path, pixels_max)
    source.raw = None
    source.image = as_map(source.image, str(path), bindings)
    return source


def as_map(image: Image.Image, name: str, bindings: Sequence[Binding]) -> Image.Image:
    """A picture in one of the modes of `LAYOUTS` as a dream map, in mode RGB or RGBA.

    `name` is what errors call it. Raises FileError if a bound colour is not on it.
    """
    image = reading.eight_bits(image)
    image = image.convert("RGBA" if image.mode in ("RGBA", "LA") else "RGB")
    pixels = np.asarray(image).reshape(-1, len(image.getbands()))
    for binding in bindings:
        if not _is_on(pixels, binding.colour):
            raise FileError(
                f"{name} has no {colour_text(binding.colour)}, which “{binding}” binds: its most"
                f" frequent colours are {_frequent(pixels)}."
            )
    return image


def map_pixels(image: Image.Image, size: tuple[int, int], region: Region) -> Pixels:
    """The part of a map that covers a region of a picture of `size` (width, height).

    It has no more pixels than the region or its own.
    """
    across, down = (of_map / of_all for of_map, of_all in zip(image.size, size, strict=True))
    x, y, width, height = region
    box = (x * across, y * down, (x + width) * across, (y + height) * down)
    wanted = (
        max(1, min(width, round(width * across))), max(1, min(height, round(height * down))),
    )  # fmt: skip
    part = _cut(image, box, wanted)
    return Pixels(Picture(*part.size, "U8", part.mode), part.tobytes())


def _cut(
    image: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int]
) -> Image.Image:
    """A part of an image, at a size; its pixels as they are if they need not be resized."""
    from PIL.Image import Resampling

    whole = [round(edge) for edge in box]
    if list(box) == whole and (whole[2] - whole[0], whole[3] - whole[1]) == size:
        return image.crop((whole[0], whole[1], whole[2], whole[3]))
    return image.resize(size, Resampling.BILINEAR, box)


def _is_on(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether a pixel (n, 3 or 4) that is mostly opaque has about this colour."""
    for part in np.array_split(pixels, -(-len(pixels) // SAMPLES)):
        distance = ((part[:, :3].astype(np.int32) - colour) ** 2).sum(axis=1)
        if ((distance <= NEAR**2) & (part[:, -1] > 127 if part.shape[1] == 4 else True)).any():
            return True
    return False


def _frequent(pixels: np.ndarray) -> str:
    """The most frequent colours of opaque pixels (n, 3 or 4), as text."""
    some = pixels[:: -(-len(pixels) // SAMPLES)]
    if some.shape[1] == 4:
        some = some[some[:, 3] > 127]
    counts = Counter(map(tuple, some[:, :3].tolist()))
    return ", ".join(colour_text(colour) for colour, _ in counts.most_common(NAMED)) or "none"
