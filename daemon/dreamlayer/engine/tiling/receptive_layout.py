"""Which cells of a network's maps see which pixels of a picture in its canvas.

A tile is some cells of the feature maps and their crop: all the pixels that they see, so that the
cells have the values they would have in the whole picture:

            crop
    ┌──────────────────┐      The crop begins on a multiple of the stride, so that the network's
    │  receptive field │      windows lie as they do in the whole picture. It is cut off only
    │   ┌──────────┐   │      where the picture itself ends, and there the network's own border
    │   │  block   │   │      handling is the same.
    │   └──────────┘   │
    └──────────────────┘
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from dreamlayer.engine.objectives.terms import CellCentres, MapLocation
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.geometry import Span, Window
from dreamlayer.networks.executors.base import Pass
from dreamlayer.networks.program.convolution import Box
from dreamlayer.runtime.devices.device import Device

EMPTY = Window(Span(0, 0), Span(0, 0))
LEAST_CELLS = 32  # smallest crop side; on smaller maps torch sums a convolution in another order


class MapGeometry(Protocol):
    """Where the cells of a layer's map lie (`receptive_field.Geometry` is one)."""

    @property
    def stride(self) -> int: ...

    @property
    def reach(self) -> tuple[int, int]: ...


class TileableNetwork(Protocol):
    """A network that ends at its target layers (`networks.network.Network` is one).

    The tiles need to know its `stride` in pixels, whether it is `local` (each cell sees a limited
    field), the `grain` in pixels on whose multiples crops must begin, the geometry of its `maps`
    and the `minimum` side of a picture. See `Network` for the methods.
    """

    stride: int
    local: bool

    @property
    def grain(self) -> int: ...

    @property
    def maps(self) -> Sequence[MapGeometry]: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def runs_on(self) -> Device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def bytes_per_pixel(self) -> float: ...

    @property
    def minimum(self) -> int: ...

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]: ...

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]: ...

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> Pass: ...

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]: ...

    def gradient_dependencies(
        self, axis: int, length: int, pixels: tuple[int, int]
    ) -> tuple[tuple[int, int], tuple[tuple[int, int], ...]] | None: ...

    def pixel_dependencies(
        self, axis: int, length: int, cells: Sequence[tuple[int, int]]
    ) -> tuple[int, int] | None: ...

    def largest_area(self) -> float: ...

    def run_step(self, key: Hashable, work: Callable[[], None], pixels: int) -> None: ...

    def forget_steps(self) -> None: ...


@dataclass(frozen=True)
class ReceptiveLayout:
    """The maps of a network over the part of a picture that `window` touches.

    If a network is not local, each of its cells sees the whole picture: there is one block, all
    cells are counted, and the crop is the whole canvas.
    """

    network: TileableNetwork
    canvas: PictureCanvas
    window: Window

    @cached_property
    def counted(self) -> list[Window]:
        """The cells of each map that see any pixel of the window."""
        return self.cells_seeing(self.window)

    def blocks(self, side: int) -> list[Window]:
        """The window's pixels in blocks, no side longer than `side`."""
        return list(self.window.split(side)) if self.network.local else [self.window]

    def cell_blocks(self, number: int, side: int) -> Iterator[Window]:
        """A map's counted cells in blocks of about `side` pixels; each cell is in one block."""
        if not self.network.local:
            return iter([self.counted[number]])
        return self.counted[number].split(max(1, side // self.network.stride))

    def aligned_frame(self, block: Window) -> Window:
        """The canvas's pixels for which the gradient of a block is computed.

        A whole number of strides, the same number for any shift. So crops have only a few shapes,
        whose execution plans can be reused.
        """
        rows, columns = (
            _align_to_stride(span, self.network.stride, length)
            for span, length in zip(self.canvas.to_canvas(block), self.canvas.size, strict=True)
        )
        return Window(rows, columns)

    def cells_seeing(self, window: Window) -> list[Window]:
        """The cells of each map that see any pixel of a window of the picture."""
        return self._canvas_cells_seeing(self.canvas.to_canvas(window))

    def dependencies(self, frame: Window) -> tuple[list[Window], Window]:
        """All that the gradient in a frame depends on, bit for bit: counted cells, and a crop."""
        needs = [
            self.network.gradient_dependencies(axis, self.canvas.size[axis], frame[axis])
            for axis in (0, 1)
            if self.network.local
        ]
        if needs and needs[0] and needs[1]:
            both = zip(needs[0][1], needs[1][1], strict=True)
            cells = [Window(Span(*rows), Span(*columns)) for rows, columns in both]
            crop = self._align_crop(Window(Span(*needs[0][0]), Span(*needs[1][0])))
        else:
            cells = self._canvas_cells_seeing(frame)
            crop = None
        cells = [own.intersect(counted) for own, counted in zip(cells, self.counted, strict=True)]
        return cells, crop or self.crop(dict(enumerate(cells)))

    def crop(self, cells: dict[int, Window]) -> Window:
        """The canvas's pixels that these cells see, at least `LEAST_CELLS` strides a side."""
        network, size = self.network, self.canvas.size
        if not network.local:
            return Window.whole(*size)
        spans = []
        for axis in (0, 1):
            map_cells = [cells.get(k, EMPTY)[axis] for k in range(len(network.maps))]
            span = network.pixel_dependencies(axis, size[axis], map_cells)
            if span is None:
                all_seen = [
                    pixels_seen(
                        window[axis], network.maps[k].stride, network.maps[k].reach, size[axis]
                    )
                    for k, window in cells.items()
                ]
                span = min(s.start for s in all_seen), max(s.stop for s in all_seen)
            spans.append(Span(*span))
        return self._align_crop(Window(*spans))

    def _align_crop(self, crop: Window) -> Window:
        """Extend a crop to begin where the network computes the whole canvas's values."""
        least = LEAST_CELLS * self.network.stride
        rows, columns = (
            span.widen(least, self.network.grain, length)
            for span, length in zip(crop, self.canvas.size, strict=True)
        )
        return Window(rows, columns)

    def _canvas_cells_seeing(self, window: Window) -> list[Window]:
        """The cells of each map that see any pixel of a window of the canvas."""
        grids = self.network.grids(*self.canvas.size)
        if not self.network.local:
            return [Window.whole(*grid) for grid in grids]
        windows = []
        for geometry, grid in zip(self.network.maps, grids, strict=True):
            rows, columns = (
                cells_seeing(span, geometry.stride, geometry.reach, count)
                for span, count in zip(window, grid, strict=True)
            )
            windows.append(Window(rows, columns))
        return windows

    def cells_in_crop(self, number: int, cells: Window, crop: Window) -> Window:
        """The position of a map's `cells` in the map of a crop."""
        stride = self.network.maps[number].stride
        rows, columns = crop.rows.start // stride, crop.columns.start // stride
        return cells.shift(-rows, -columns)

    def location(self, number: int, cells: Window) -> MapLocation:
        """The location of some cells of a map, as terms of an objective need it."""
        return MapLocation(
            cells,
            self.counted[number],
            lambda x, y: self._focus(number, x, y),
            lambda some: self.centres(number, some),
        )

    def cells_centred(self, number: int, block: Window) -> Window:
        """The counted cells of a map whose fields are centred in a block of the window."""
        stride, middle = self.network.maps[number].stride, self._middle(number)
        rows, columns = (
            Span(
                math.ceil((span.start - middle) / stride), math.ceil((span.stop - middle) / stride)
            )
            for span in self.canvas.to_canvas(block)
        )
        return Window(rows, columns).intersect(self.counted[number])

    def centre_pixels(self, number: int, cells: Window) -> tuple[list[int], list[int]]:
        """The rows and columns of the window's pixels in which some cells' fields are centred."""
        stride, middle = self.network.maps[number].stride, self._middle(number)
        rows, columns = (
            [math.floor(cell * stride + middle) - shift - span.start for cell in range(*some)]
            for some, shift, span in zip(cells, self.canvas.shift, self.window, strict=True)
        )
        return rows, columns

    def centres(self, number: int, cells: Window) -> CellCentres:
        """The centres of the receptive fields of some cells of a map, in the window."""
        geometry, canvas, window = self.network.maps[number], self.canvas, self.window
        sides = (canvas.height, canvas.width)
        places, counts = [], []
        for axis in (0, 1):
            pixels = torch.arange(*cells[axis], dtype=torch.float64) * geometry.stride
            pixels += self._middle(number) + 0.5 + canvas.origin[axis] - canvas.shift[axis]
            if canvas.wrap:
                pixels %= sides[axis]
            places.append((pixels - window[axis].start) / window[axis].length)
            counts.append(max(1, round(window[axis].length / geometry.stride)))
        return CellCentres(places[0], places[1], (counts[0], counts[1]))

    def _middle(self, number: int) -> float:
        """The centre of what a cell sees, in pixels from the cell's index × stride."""
        geometry = self.network.maps[number]
        return sum(geometry.reach) / 2 if self.network.local else (geometry.stride - 1) / 2

    def _focus(self, number: int, x: float, y: float) -> tuple[int, int]:
        """The counted cell whose receptive field is centred nearest to a point of the picture."""
        geometry, counted, canvas = self.network.maps[number], self.counted[number], self.canvas
        middle = self._middle(number)
        cell = []
        for fraction, length, shift, span in (
            (y, canvas.height, canvas.shift[0], counted.rows),
            (x, canvas.width, canvas.shift[1], counted.columns),
        ):
            nearest = round((fraction * length + shift - middle) / geometry.stride)
            cell.append(min(max(nearest, span.start), span.stop - 1))
        return cell[0], cell[1]


def cells_seeing(pixels: Span, stride: int, reach: tuple[int, int], count: int) -> Span:
    """The cells of an axis that see any of these pixels.

    Args:
        reach: offsets of the first and last pixel that a cell sees from cell index × stride.
        count: the number of cells on the axis.
    """
    first = -(-(pixels.start - reach[1]) // stride)
    last = (pixels.stop - 1 - reach[0]) // stride
    return Span(0, count).intersect(Span(first, last + 1))


def pixels_seen(cells: Span, stride: int, reach: tuple[int, int], length: int) -> Span:
    """The pixels that these cells see, on an axis of `length` pixels; at least one."""
    start = min(max(0, cells.start * stride + reach[0]), length - 1)
    return Span(start, max(start + 1, min(length, (cells.stop - 1) * stride + reach[1] + 1)))


def _align_to_stride(span: Span, stride: int, length: int) -> Span:
    """Extend a span to begin on a stride and last whole strides, within 0 … length − 1."""
    start = span.start // stride * stride
    most = -(-(span.length + stride - 1) // stride) * stride
    return Span(0, length).intersect(Span(start, start + most))
