"""Which cells of a network's maps see which pixels of a picture in its canvas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

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
    def grain(self) -> int: ...

    @property
    def margin(self) -> int: ...

    @property
    def maps(self) -> Sequence[Map]: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def engine(self) -> str: ...

    @property
    def module(self) -> nn.Module: ...

    @property
    def minimum(self) -> int: ...

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

    def seeing(self, window: Window, margin: int = 0) -> list[Window]:
        """The cells of each map that see any pixel of a window of the picture, or its margin."""
        grids = self.network.grids(*self.canvas.size)
        if not self.network.local:
            return [whole(*grid) for grid in grids]
        place = self.canvas.place(window)
        found = []
        for one, grid in zip(self.network.maps, grids, strict=True):
            reach = _beyond(one, margin)
            rows, columns = (
                seeing(span, one.stride, reach, count)
                for span, count in zip(place, grid, strict=True)
            )
            found.append(Window(rows, columns))
        return found

    def weighing(self, window: Window) -> list[Window]:
        """The counted cells on which the gradient in a window depends, to the last bit."""
        return [
            Window(cells.rows.common(counted.rows), cells.columns.common(counted.columns))
            for cells, counted in zip(
                self.seeing(window, self.network.margin), self.counted, strict=True
            )
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
        network, length = self.network, self.canvas.size[axis]
        spans = []
        for k, window in cells.items():
            one = network.maps[k]
            spans.append(seen(window[axis], one.stride, _beyond(one, network.margin), length))
        span = Span(min(s.start for s in spans), max(s.stop for s in spans))
        return widened(span, LEAST_CELLS * network.stride, network.grain, length)

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


def _beyond(one: Map, margin: int) -> tuple[int, int]:
    """What a cell sees, and a margin on each side."""
    return one.reach[0] - margin, one.reach[1] + margin
