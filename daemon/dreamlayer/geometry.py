"""Half-open integer spans and windows: the geometry of pictures, maps and tiles.

A `Span` is a run of indices along one axis; a `Window` is a span of rows and a span of columns.
Both are plain tuples, `(start, stop)` and `(rows, columns)`, so a window can be passed wherever a
pair of pairs is wanted. All arithmetic is in integers; the module does not import torch.

            start          stop
    ──┬───────█████████████──┬────▶ axis      start and all up to stop − 1 are in the span
      0       └── length ──┘
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from types import EllipsisType
from typing import NamedTuple

Index = tuple[EllipsisType, slice, slice]  # of the last two axes of a tensor or plane


class Span(NamedTuple):
    """The integers `start` … `stop` − 1. A span whose stop is not above its start is empty."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """The number of integers in the span, at least 0."""
        return max(0, self.stop - self.start)

    def slice(self, origin: int = 0) -> slice:
        """The slice that takes this span out of an axis whose first element is `origin`."""
        return slice(self.start - origin, self.stop - origin)

    def shift(self, by: int) -> Span:
        """The span moved by an offset, which may be negative."""
        return Span(self.start + by, self.stop + by)

    def intersect(self, other: Span) -> Span:
        """The integers that are in both spans; an empty span if there are none."""
        start = max(self.start, other.start)
        return Span(start, max(start, min(self.stop, other.stop)))

    def hull(self, other: Span) -> Span:
        """The smallest span that contains both. An empty span contributes nothing."""
        if not other.length:
            return self
        if not self.length:
            return other
        return Span(min(self.start, other.start), max(self.stop, other.stop))

    def scale(self, length: int, new_length: int) -> Span:
        """This span of an axis of `length` after the axis is resized to `new_length`.

        Rounded outwards, so that it covers all that the original covered and is never empty if the
        original was not.
        """
        return Span(
            self.start * new_length // length,
            min(new_length, -(-self.stop * new_length // length)),
        )

    def widen(self, least: int, multiple: int, length: int) -> Span:
        """The span extended to begin on a multiple and to be at least `least` long.

        Args:
            least: the length wanted; a shorter axis is taken as a whole.
            multiple: the new start is a multiple of this and not above the old one.
            length: of the axis; the result stays within 0 … length.
        """
        start = self.start // multiple * multiple
        stop = max(self.stop, min(length, start + least))
        return Span(max(0, min(start, (stop - least) // multiple * multiple)), stop)

    def split(self, largest: int) -> list[Span]:
        """Consecutive spans of nearly equal length, none longer than `largest`."""
        count = max(1, -(-self.length // largest))
        edges = [self.start + self.length * i // count for i in range(count + 1)]
        return [Span(a, b) for a, b in pairwise(edges)]


class Window(NamedTuple):
    """A rectangle of pixels or of cells: a span of rows × a span of columns."""

    rows: Span
    columns: Span

    @classmethod
    def whole(cls, height: int, width: int) -> Window:
        """The window that covers a picture of `height` × `width`."""
        return cls(Span(0, height), Span(0, width))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.rows.length, self.columns.length

    @property
    def area(self) -> int:
        """The number of pixels or cells; 0 if the window is empty."""
        return self.rows.length * self.columns.length

    def slices(self, origin: tuple[int, int] = (0, 0)) -> Index:
        """The index that takes this window out of a (…, H, W) whose first pixel is `origin`."""
        return ..., self.rows.slice(origin[0]), self.columns.slice(origin[1])

    @property
    def origin(self) -> tuple[int, int]:
        """(row, column) of the window's first pixel."""
        return self.rows.start, self.columns.start

    def shift(self, down: int, right: int) -> Window:
        """The window moved by some rows and columns, which may be negative."""
        return Window(self.rows.shift(down), self.columns.shift(right))

    def relative_to(self, other: Window) -> Window:
        """The same window in coordinates that begin at the first pixel of `other`."""
        return self.shift(-other.rows.start, -other.columns.start)

    def intersect(self, other: Window) -> Window:
        """What is in both windows; its area is 0 if that is nothing."""
        return Window(self.rows.intersect(other.rows), self.columns.intersect(other.columns))

    def scale(self, size: tuple[int, int], new_size: tuple[int, int]) -> Window:
        """This window of a picture of `size` (h, w) after the picture is resized to `new_size`.

        Rounded outwards, see `Span.scale`.
        """
        return Window(
            self.rows.scale(size[0], new_size[0]), self.columns.scale(size[1], new_size[1])
        )

    def split(self, largest: int) -> Iterator[Window]:
        """Blocks that cover the window once, row by row, no side longer than `largest`."""
        for rows in self.rows.split(largest):
            for columns in self.columns.split(largest):
                yield Window(rows, columns)
