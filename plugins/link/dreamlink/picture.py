"""The layout of pixels on the wire, and rectangles of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

MAX_SIDE = 1 << 17  # 131072 pixels: more than either host allows
DEPTHS = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}  # bytes a sample, little endian
ORDERS = {"RGBA": 4, "BGRA": 4, "RGB": 3, "GA": 2, "G": 1}  # samples a pixel
CURVES = ("srgb", "linear")


class PictureError(ValueError):
    """An invalid layout or rectangle; the text is one sentence."""


class Edges(NamedTuple):
    """Which sides of a region are edges of the picture: a selection is not feathered there."""

    left: bool
    top: bool
    right: bool
    bottom: bool


class Region(NamedTuple):
    """A rectangle of pixels; `x`, `y` is its top-left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    def grow(self, margin: int) -> Region:
        """The rectangle with `margin` pixels added on each side."""
        return Region(
            self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin
        )

    def clip(self, other: Region) -> Region:
        """The intersection of both; empty (sides of 0) if they don't touch."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Region(x, y, max(0, right - x), max(0, bottom - y))

    def moved(self, dx: int, dy: int) -> Region:
        return Region(self.x + dx, self.y + dy, self.width, self.height)

    def edges(self, picture: Region) -> Edges:
        """The sides on which this region of a picture reaches the picture's edge."""
        return Edges(
            self.x <= picture.x,
            self.y <= picture.y,
            self.x + self.width >= picture.x + picture.width,
            self.y + self.height >= picture.y + picture.height,
        )


@dataclass(frozen=True)
class Picture:
    """The layout of raw pixels: rows from the top, no padding, straight alpha, little endian.

    `curve` is the transfer curve of the colour samples: "srgb", or "linear" light (Krita's …-g10
    profiles). Alpha is always linear.
    """

    width: int
    height: int
    depth: str = "U8"
    order: str = "RGBA"
    curve: str = "srgb"

    @property
    def samples(self) -> int:
        return ORDERS[self.order]

    @property
    def nbytes(self) -> int:
        return self.width * self.height * self.samples * DEPTHS[self.depth]

    @property
    def region(self) -> Region:
        return Region(0, 0, self.width, self.height)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, values: object) -> Picture:
        """A checked layout from a message; raises PictureError."""
        if not isinstance(values, Mapping) or set(values) - set(cls.__dataclass_fields__):
            raise PictureError("A picture is described by width, height, depth, order and curve.")
        try:
            picture = cls(**values)
        except TypeError as error:
            raise PictureError("A picture needs a width and a height.") from error
        for side in (picture.width, picture.height):
            if not isinstance(side, int) or isinstance(side, bool) or not 1 <= side <= MAX_SIDE:
                raise PictureError(
                    f"A picture can be 1 to {MAX_SIDE} pixels wide and high, not {side!r:.40}."
                )
        for name, value, known in (
            ("depth", picture.depth, tuple(DEPTHS)),
            ("order", picture.order, tuple(ORDERS)),
            ("curve", picture.curve, CURVES),
        ):
            if value not in known:
                raise PictureError(f"{name} must be one of {', '.join(known)}, not {value!r:.40}.")
        return picture


def region_of(values: object) -> Region:
    """A checked region from a message; raises PictureError."""
    if (
        not isinstance(values, list | tuple)
        or len(values) != 4
        or not all(isinstance(v, int) and not isinstance(v, bool) for v in values)
        or not all(-MAX_SIDE <= v <= MAX_SIDE for v in values)
    ):
        raise PictureError("A region must be four whole numbers: x, y, width, height.")
    return Region(*values)
