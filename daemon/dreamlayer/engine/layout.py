"""Which cells of a network's maps see which pixels of a picture in its canvas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from torch import Tensor

from dreamlayer.engine.canvas import Canvas
from dreamlayer.engine.objectives import Place
from dreamlayer.engine.tiles import Span, Window, divided, seeing, seen, whole, widened
from dreamlayer.models.convolution import Box
from dreamlayer.models.passes import Pass

LEAST_CELLS = 32  # a crop's side; for smaller maps torch adds up a convolution in another order


class Map(Protocol):
    """Where the cells of a layer's map lie (models.geometry.Geometry is one)."""

    @property
    def stride(self) -> int: ...

    @property
    def reach(self) -> tuple[int, int]: ...


class Cut(Protocol):
    """A network cut off behind its target layers (models.network.Network is one)."""

    stride: int
    local: bool

    @property
    def maps(self) -> Sequence[Map]: ...

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]: ...

    def look(self, x: Tensor, wanted: Sequence[Box]) -> tuple[Tensor, ...]: ...

    def run(
        self, x: Tensor, wanted: Sequence[Box] | None = None, keep: Box | None = None
    ) -> Pass: ...

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]: ...


@dataclass(frozen=True)
class Layout:
    """The maps of a network over the part of a picture that `window` touches.

    A network that is not local has cells that see everything: it has one block, all cells are
    counted, and the crop is the canvas.
    """

    network: Cut
    canvas: Canvas
    window: Window

    @cached_property
    def counted(self) -> list[Window]:
        """The cells of each map that see any pixel of the window."""
        return self.seeing(self.window)

    def blocks(self, side: int) -> list[Window]:
        """The window's pixels in pieces, none with a side longer than `side`."""
        return list(divided(self.window, side)) if self.network.local else [self.window]

    def parts(self, number: int, side: int) -> Iterator[Window]:
        """The counted cells of a map in pieces of about `side` pixels, each cell in one of them."""
        if not self.network.local:
            return iter([self.counted[number]])
        return divided(self.counted[number], max(1, side // self.network.stride))

    def seeing(self, window: Window) -> list[Window]:
        """The cells of each map that see any pixel of a window of the picture."""
        grids = self.network.grids(*self.canvas.size)
        if not self.network.local:
            return [whole(*grid) for grid in grids]
        place = self.canvas.place(window)
        return [
            Window(
                seeing(place.rows, m.stride, m.reach, grid[0]),
                seeing(place.columns, m.stride, m.reach, grid[1]),
            )
            for m, grid in zip(self.network.maps, grids, strict=True)
        ]

    def crop(self, cells: dict[int, Window]) -> Window:
        """The pixels of the canvas that some cells of some maps see, no fewer than torch wants."""
        if not self.network.local:
            return whole(*self.canvas.size)
        rows, columns = (self._crop(cells, axis) for axis in (0, 1))
        return Window(rows, columns)

    def within(self, number: int, cells: Window, crop: Window) -> Window:
        """Where `cells` of a map lie in the map of a crop."""
        stride = self.network.maps[number].stride
        rows, columns = crop.rows.start // stride, crop.columns.start // stride
        return Window(cells.rows.moved(-rows), cells.columns.moved(-columns))

    def place(self, number: int, cells: Window) -> Place:
        return Place(cells, self.counted[number], lambda x, y: self._focus(number, x, y))

    def _crop(self, cells: dict[int, Window], axis: int) -> Span:
        length, stride = self.canvas.size[axis], self.network.stride
        spans = [
            seen(window[axis], self.network.maps[k].stride, self.network.maps[k].reach, length)
            for k, window in cells.items()
        ]
        span = Span(min(s.start for s in spans), max(s.stop for s in spans))
        return widened(span, LEAST_CELLS * stride, stride, length)

    def _focus(self, number: int, x: float, y: float) -> tuple[int, int]:
        """The counted cell whose field's middle is nearest to a place of the picture."""
        one, counted, canvas = self.network.maps[number], self.counted[number], self.canvas
        middle = sum(one.reach) / 2 if self.network.local else (one.stride - 1) / 2
        found = []
        for fraction, length, shift, span in (
            (y, canvas.height, canvas.shift[0], counted.rows),
            (x, canvas.width, canvas.shift[1], counted.columns),
        ):
            nearest = round((fraction * length + shift - middle) / one.stride)
            found.append(min(max(nearest, span.start), span.stop - 1))
        return found[0], found[1]
