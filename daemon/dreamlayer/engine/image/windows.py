"""Where the tiles of an exact gradient lie: integers only.

A tile is some cells of the feature maps and their crop: all the pixels that they see, so that the
cells have the values they would have in the whole picture:

            crop
    ┌──────────────────┐      crop begins on a multiple of the stride, so that the network's
    │  what they see   │      windows fall as they do in the whole picture;
    │   ┌──────────┐   │      it is cut only where the picture itself ends, where the network's
    │   │  block   │   │      own border handling is the same.
    │   └──────────┘   │
    └──────────────────┘
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple


class Span(NamedTuple):
    """The integers start … stop − 1."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return max(0, self.stop - self.start)

    def slice(self, origin: int = 0) -> slice:
        """The slice that takes this span out of an axis whose first element is `origin`."""
        return slice(self.start - origin, self.stop - origin)

    def moved(self, by: int) -> Span:
        return Span(self.start + by, self.stop + by)

    def common(self, other: Span) -> Span:
        start = max(self.start, other.start)
        return Span(start, max(start, min(self.stop, other.stop)))


class Window(NamedTuple):
    """A rectangle: rows × columns, of pixels or of cells."""

    rows: Span
    columns: Span

    @property
    def area(self) -> int:
        return self.rows.length * self.columns.length


def whole(height: int, width: int) -> Window:
    return Window(Span(0, height), Span(0, width))


def scaled(window: Window, size: tuple[int, int], new: tuple[int, int]) -> Window:
    """The window of a picture of `size` (h, w) in the same picture resized to `new`.

    Rounded outwards, so that it is never empty and covers all that the original covered.
    """
    spans = [
        Span(span.start * b // a, min(b, -(-span.stop * b // a)))
        for span, a, b in zip(window, size, new, strict=True)
    ]
    return Window(*spans)


def seeing(span: Span, stride: int, reach: tuple[int, int], count: int) -> Span:
    """The cells of an axis that see any pixel of `span`; `count` is the axis' number of cells."""
    first = -(-(span.start - reach[1]) // stride)
    last = (span.stop - 1 - reach[0]) // stride
    return Span(0, count).common(Span(first, last + 1))


def seen(cells: Span, stride: int, reach: tuple[int, int], length: int) -> Span:
    """The pixels of an axis of `length` that `cells` see."""
    start = min(max(0, cells.start * stride + reach[0]), length - 1)
    return Span(start, max(start + 1, min(length, (cells.stop - 1) * stride + reach[1] + 1)))


def blocks(span: Span, largest: int) -> list[Span]:
    """Divide a span into runs of nearly the same length, none longer than `largest`."""
    count = max(1, -(-span.length // largest))
    edges = [span.start + span.length * i // count for i in range(count + 1)]
    return [Span(a, b) for a, b in pairwise(edges)]


def divided(window: Window, largest: int) -> Iterator[Window]:
    """Divide a window into blocks, none with a side longer than `largest`, row by row."""
    for rows in blocks(window.rows, largest):
        for columns in blocks(window.columns, largest):
            yield Window(rows, columns)


def widened(span: Span, least: int, stride: int, length: int) -> Span:
    """A span of an axis, made to begin on a multiple of the stride and `least` long if it fits."""
    start = span.start // stride * stride
    stop = max(span.stop, min(length, start + least))
    return Span(max(0, min(start, (stop - least) // stride * stride)), stop)
