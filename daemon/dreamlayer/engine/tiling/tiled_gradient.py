"""The exact tiled gradient: the picture is computed in pieces, the result does not depend on them.

For an objective L = Σ f(a_u) over the cells u of some maps, the picture's pixels are divided into
blocks. The cells that see any pixel of a block are computed from all that they see (their crop);
their terms hold all that the block's pixels contribute to L, so the gradient is complete there, and
only there it is kept. Every pixel's gradient is thus one sum, over the same terms, in the same
order, as it is untiled: no blending windows, no seams, and with convolutions that add up in order
(`models/convolution.py`) no difference in a single bit.

What depends on a map as a whole (a class, a cosine) takes two passes: the map is assembled from the
same tiles without a gradient, the objective's slope at each of its cells is found, and that slope
makes the objective a sum over cells.

Adding up partial gradients of blocks of cells costs smaller crops, but rounds differently; that
flips the choice of a max pool after a dozen steps, and the dream goes another way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeVar

import torch
from torch import Tensor

from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.planes import StoredPlane, TensorOrPlane
from dreamlayer.engine.objectives.terms import Objective
from dreamlayer.engine.tiling import tile_size, workers
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import EMPTY, ReceptiveLayout, TileableNetwork
from dreamlayer.geometry import Span, Window
from dreamlayer.runtime import devices

T = TypeVar("T")
CELLS_AT_ONCE = 1 << 20  # values of a map, for which an objective's slope is found together
FIRST_PASS = 1 / 3  # of the work; a pass without gradient costs about half of one with it


@dataclass(frozen=True)
class TiledObjective:
    """An objective over the part of a picture that `window` touches, computed in tiles.

    Attributes:
        canvas: how the network sees the picture.
        window: pixels of the picture; the cells that see any of them are counted.
        side: the largest side of a block, in pixels; 0: whatever is fastest.
        mask: (1, 1, rows, columns) of the window; no gradient is computed for blocks where it is
            0 throughout. None: everywhere.
        flaws: counts what of the gradient is no number, and counts as zero.
    """

    network: TileableNetwork
    objective: Objective
    canvas: PictureCanvas
    window: Window
    side: int
    mask: Tensor | None = None
    nan_guard: NanGuard = field(default_factory=NanGuard)

    @cached_property
    def layout(self) -> ReceptiveLayout:
        return ReceptiveLayout(self.network, self.canvas, self.window)

    @cached_property
    def blocks(self) -> list[Window]:
        """The pieces of the window that the mask does not leave empty."""
        return [block for block in self.layout.blocks(self._side) if self._wanted(block)]

    @cached_property
    def _side(self) -> int:
        return self.side or tile_size.side(self.network, self.window, self.canvas.size)

    def add_gradient(self, picture: TensorOrPlane, total: Tensor | StoredPlane) -> Iterator[float]:
        """Add the gradient of the objective to `total`.

        Args:
            picture: (1, 3, height, width), R, G, B in 0..1.
            total: (1, 3, rows, columns) of the window; changed in place.

        Yields:
            after each block its share of the work.
        """
        objective, left = self.objective, 1.0
        if not objective.additive:
            maps: dict[int, Tensor] = {}
            for share in self._assemble(picture, objective.whole_maps, maps):
                yield share * FIRST_PASS
            locations = [
                self.layout.location(k, cells) for k, cells in enumerate(self.layout.counted)
            ]
            objective, left = objective.linearise(maps, locations), 1.0 - FIRST_PASS
        blocks = self.blocks
        area = sum(block.area for block in blocks)
        tasks = [partial(self._add_block, objective, picture, total, block) for block in blocks]
        for done in self._run(tasks):
            yield done.area / area * left

    def value(self, picture: TensorOrPlane) -> float:
        """The objective for a picture (1, 3, height, width)."""
        layout, total = self.layout, 0.0
        for k, counted in enumerate(layout.counted):
            objective = self.objective.for_map(k)
            if not objective.additive:
                maps: dict[int, Tensor] = {}
                for _ in self._assemble(picture, [k], maps):
                    pass
                total += float(objective.value(maps, {k: layout.location(k, counted)}))
            elif objective.terms:
                parts = layout.cell_blocks(k, self._side)
                tasks = [partial(self._part, objective, picture, k, cells) for cells in parts]
                # In the order of the cells: as they come, the sum would be another each time.
                total += sum(value for _, value in sorted(self._run(tasks)))
        return total

    def _run(self, tasks: Sequence[Callable[[], T]]) -> Iterator[T]:
        """Run tasks side by side where there are cores for it; else one after the other."""
        each = tile_size.threads()
        if self.network.device.type == "cpu" and workers.shared.count > each:
            yield from workers.shared.run(tasks, each)
        else:
            for task in tasks:
                yield task()

    def _add_block(
        self,
        objective: Objective,
        picture: TensorOrPlane,
        total: Tensor | StoredPlane,
        block: Window,
    ) -> Window:
        """Add the gradient at a block's pixels; returns the block."""
        for part in in_pieces(block, partial(self._block_grad, objective, picture)):
            own, grad = part
            seen = self.canvas.to_canvas(own)
            self.canvas.add(total[own.slices(self.window.origin)], own, seen, grad.to(total.device))
        return block

    def _block_grad(
        self, objective: Objective, picture: TensorOrPlane, block: Window
    ) -> tuple[Window, Tensor]:
        """The pixels of a block that any cell sees, and the gradient there."""
        layout = self.layout
        frame = layout.aligned_frame(block)
        needed, crop = layout.dependencies(frame)
        cells = dict(enumerate(needed))
        framed, own = frame.intersect(crop), self.canvas.to_canvas(block).intersect(crop)
        wanted = [layout.cells_in_crop(k, window, crop) for k, window in cells.items()]
        found = self.network.run(self._take(picture, crop), wanted, framed.relative_to(crop))
        factor = layout.counted[0].area
        grad = found.backward(self._map_grads(objective, found.maps, cells, factor))
        grad = self.nan_guard.clean(grad[own.relative_to(framed).slices()]).div_(factor)
        down, right = self.canvas.shift
        return own.shift(-down, -right), grad

    def _map_grads(
        self, objective: Objective, found: Sequence[Tensor], cells: dict[int, Window], factor: int
    ) -> list[Tensor]:
        """The objective's slope at some cells of the maps, times `per`."""
        grads = []
        for k, values in enumerate(found):
            grad = torch.empty_like(values)
            for rows in _pieces_of_rows(values):
                there = Window(rows.shift(cells[k].rows.start), cells[k].columns)
                some, location = values[..., rows.slice(), :], self.layout.location(k, there)
                grad[..., rows.slice(), :] = objective.grad(some, k, location, factor)
            grads.append(grad)
        return grads

    def _part(
        self, objective: Objective, picture: TensorOrPlane, number: int, cells: Window
    ) -> tuple[Window, float]:
        """Some cells of a map, and their share in the objective."""

        def share(cells: Window) -> float:
            (own,) = self._look(picture, {number: cells}).values()
            return float(
                objective.total({number: own}, {number: layout.location(number, cells)}, 1)
            )

        layout = self.layout
        with torch.no_grad():
            return cells, sum(in_pieces(cells, share))

    def _look(self, picture: TensorOrPlane, cells: dict[int, Window]) -> dict[int, Tensor]:
        """Some cells of some maps."""
        layout = self.layout
        crop = layout.crop(cells)
        wanted = [
            layout.cells_in_crop(k, cells[k], crop) if k in cells else EMPTY
            for k in range(len(layout.counted))
        ]
        found = self.network.infer(self._take(picture, crop), wanted)
        return {k: found[k] for k in cells}

    def _take(self, picture: TensorOrPlane, crop: Window) -> Tensor:
        return devices.send(self.canvas.take(picture, crop), self.network.device)

    def _assemble(
        self, picture: TensorOrPlane, numbers: Collection[int], maps: dict[int, Tensor]
    ) -> Iterator[float]:
        """Put the counted cells of some maps into `maps`; yields each block's share of the work.

        Cells that see two blocks are computed twice, and are the same.
        """
        layout = self.layout

        def found(block: Window) -> list[tuple[dict[int, Window], dict[int, Tensor]]]:
            return in_pieces(block, one)

        def one(block: Window) -> tuple[dict[int, Window], dict[int, Tensor]]:
            cells = {
                k: window for k, window in enumerate(layout.cells_seeing(block)) if k in numbers
            }
            return cells, self._look(picture, cells)

        blocks = layout.blocks(self._side)
        for pieces in self._run([partial(found, block) for block in blocks]):
            for cells, own in pieces:
                for k, window in cells.items():
                    self._put(maps, k, window, own[k])
            yield 1.0 / len(blocks)

    def _put(self, maps: dict[int, Tensor], number: int, cells: Window, own: Tensor) -> None:
        """Put some cells into the map that is assembled."""
        counted = self.layout.counted[number]
        if number not in maps:
            maps[number] = own.new_zeros(1, own.shape[1], *counted.size)
        maps[number][cells.slices(counted.origin)] = own

    def _wanted(self, block: Window) -> bool:
        if self.mask is None:
            return True
        return bool(self.mask[block.slices(self.window.origin)].any())


def _pieces_of_rows(cells: Tensor) -> Iterator[Span]:
    """A map's rows, a few at a time: whatever is computed of its cells takes some times as much."""
    height = cells.shape[-2]
    rows = max(1, CELLS_AT_ONCE * height // max(1, cells.numel()))
    if cells.device.type != "cpu":
        rows = height  # a card would wait for each of them to begin
    return (Span(top, min(height, top + rows)) for top in range(0, height, max(1, rows)))


def in_pieces(window: Window, compute: Callable[[Window], T]) -> list[T]:
    """Compute something for a window; where memory does not suffice, for each of its quarters."""
    try:
        return [compute(window)]
    except (MemoryError, RuntimeError) as error:
        if not devices.is_out_of_memory(error) or window.area <= 1:
            raise
    # Behind the handler, where nothing holds on to what was computed until then.
    devices.free_memory()
    side = -(-max(window.size) // 2)
    return [found for part in window.split(side) for found in in_pieces(part, compute)]
