"""Pixels that lie uncompressed in a file: a part of them is read and replaced without the rest.

So a small selection in a large TIFF or BMP takes memory for the selection only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from PIL import Image

from dreamlayer.files.opening import InputFile

LARGE = 32_000_000  # pixels; smaller pictures are read as a whole, and compressed when written
PIECE = 1 << 22  # bytes that are copied at a time
# Pillow's names of how pixels lie in a file → the mode in memory, bytes of a pixel.
RAW_MODES = {"L": ("L", 1), "RGB": ("RGB", 3), "BGR": ("RGB", 3), "RGBA": ("RGBA", 4),
             "I;16": ("I;16", 2)}  # fmt: skip

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class RawTile:
    """A rectangle of pixels in a file, e.g. a strip of a TIFF.

    Attributes:
        box: where it lies in the picture.
        offset: where its first row begins in the file.
        stride: bytes from the beginning of a row in the file to the next one's.
        upwards: whether the file's first row is the lowest.
    """

    box: Box
    offset: int
    stride: int
    upwards: bool

    @property
    def end(self) -> int:
        return self.offset + self.stride * (self.box[3] - self.box[1])

    def row(self, y: int) -> int:
        """The offset of the picture's row `y` in the file."""
        return self.offset + self.stride * (
            self.box[3] - 1 - y if self.upwards else y - self.box[1]
        )


class RawPixels:
    """The pixels of a file that stays open."""

    def __init__(self, file: InputFile, raw_mode: str, tiles: list[RawTile]) -> None:
        self._file, self._raw_mode, self._tiles = file, raw_mode, tiles
        self._mode, self._width = RAW_MODES[raw_mode]

    @classmethod
    def find(cls, image: Image.Image, file: InputFile) -> RawPixels | None:
        """The pixels of a picture that is not decoded, or None: they can't be read in parts."""
        tiles: list[RawTile] = []
        raw_modes: set[str] = set()
        for codec, box, offset, arguments in getattr(image, "tile", []):
            raw_mode, stride, direction = (*_tuple(arguments), 0, 1)[:3]
            if codec != "raw" or RAW_MODES.get(str(raw_mode), ("", 0))[0] != image.mode:
                return None
            raw_modes.add(raw_mode)
            stride = stride or (box[2] - box[0]) * RAW_MODES[raw_mode][1]
            tiles.append(RawTile(tuple(box), offset, stride, direction < 0))
        covered = sum((t.box[2] - t.box[0]) * (t.box[3] - t.box[1]) for t in tiles)
        whole = covered == image.width * image.height and len(raw_modes) == 1
        if not whole or any(tile.end > file.size for tile in tiles):
            return None
        return cls(file, raw_modes.pop(), tiles)

    def crop(self, box: Box) -> Image.Image:
        """A part of the picture."""
        part = Image.new(self._mode, (box[2] - box[0], box[3] - box[1]))
        for offset, x, y, length in self._rows(box):
            data = self._file.read(offset, length * self._width)
            row = Image.frombytes(self._mode, (length, 1), data, "raw", self._raw_mode)
            part.paste(row, (x - box[0], y - box[1]))
        return part

    def write_with(self, part: Image.Image, box: Box, file: IO[bytes]) -> None:
        """Write a copy of the whole file in which `part` has taken the place of the box."""
        file.seek(0)
        for offset in range(0, self._file.size, PIECE):
            file.write(self._file.read(offset, PIECE))
        for offset, x, y, length in self._rows(box):
            left, top = x - box[0], y - box[1]
            row = part.crop((left, top, left + length, top + 1))
            file.seek(offset)
            file.write(row.tobytes("raw", self._raw_mode))

    def _rows(self, box: Box) -> Iterator[tuple[int, int, int, int]]:
        """Offset in the file, x, y and number of the pixels of each row of a part."""
        for tile in self._tiles:
            left, right = max(box[0], tile.box[0]), min(box[2], tile.box[2])
            if left < right:
                for y in range(max(box[1], tile.box[1]), min(box[3], tile.box[3])):
                    yield (
                        tile.row(y) + (left - tile.box[0]) * self._width, left, y, right - left,
                    )  # fmt: skip


def _tuple(arguments: Any) -> tuple[Any, ...]:
    return arguments if isinstance(arguments, tuple) else (arguments,)
