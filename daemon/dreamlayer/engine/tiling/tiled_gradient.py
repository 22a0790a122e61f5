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

from dreamlayer.engine.image.nan_guard import Flaws
from dreamlayer.engine.image.planes import Picture, Stored
from dreamlayer.engine.image.windows import Span, Window, divided
from dreamlayer.engine.objectives.terms import Objective
from dreamlayer.engine.tiling import tile_size, workers
from dreamlayer.engine.tiling.canvas import Canvas
from dreamlayer.engine.tiling.receptive_layout import EMPTY, Cut, Layout
from dreamlayer.runtime import devices

T = TypeVar("T")
AT_ONCE = 1 << 20  # values of a map, for which an objective's slope is found together
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

    network: Cut
    objective: Objective
    canvas: Canvas
    window: Window
    side: int
    mask: Tensor | None = None
    flaws: Flaws = field(default_factory=Flaws)

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.network, self.canvas, self.window)

    @cached_property
    def blocks(self) -> list[Window]:
        """The pieces of the window that the mask does not leave empty."""
        return [block for block in self.layout.blocks(self._side) if self._wanted(block)]

    @cached_property
    def _side(self) -> int:
        return self.side or tile_size.side(self.network, self.window, self.canvas.size)

    def add_gradient(self, picture: Picture, total: Tensor | Stored) -> Iterator[float]:
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
            places = [self.layout.place(k, cells) for k, cells in enumerate(self.layout.counted)]
            objective, left = objective.linear(maps, places), 1.0 - FIRST_PASS
        blocks = self.blocks
        area = sum(block.area for block in blocks)
        tasks = [partial(self._add_block, objective, picture, total, block) for block in blocks]
        for done in self._run(tasks):
            yield done.area / area * left

    def value(self, picture: Picture) -> float:
        """The objective for a picture (1, 3, height, width)."""
        layout, total = self.layout, 0.0
        for k, counted in enumerate(layout.counted):
            objective = self.objective.on_map(k)
            if not objective.additive:
                maps: dict[int, Tensor] = {}
                for _ in self._assemble(picture, [k], maps):
                    pass
                total += float(objective.value(maps, {k: layout.place(k, counted)}))
            elif objective.terms:
                parts = layout.parts(k, self._side)
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
        self, objective: Objective, picture: Picture, total: Tensor | Stored, block: Window
    ) -> Window:
        """Add the gradient at a block's pixels; returns the block."""
        for part in in_pieces(block, partial(self._slope, objective, picture)):
            own, slope = part
            rows = own.rows.slice(self.window.rows.start)
            columns = own.columns.slice(self.window.columns.start)
            seen = self.canvas.place(own)
            self.canvas.add(total[..., rows, columns], own, seen, slope.to(total.device))
        return block

    def _slope(
        self, objective: Objective, picture: Picture, block: Window
    ) -> tuple[Window, Tensor]:
        """The pixels of a block that any cell sees, and the gradient there."""
        layout = self.layout
        frame = layout.frame(block)
        needed, crop = layout.weighing(frame)
        cells = dict(enumerate(needed))
        framed, own = _common(frame, crop), _common(self.canvas.place(block), crop)
        wanted = [layout.within(k, window, crop) for k, window in cells.items()]
        found = self.network.run(self._take(picture, crop), wanted, _within(framed, crop))
        per = layout.counted[0].area
        rows, columns = _within(own, framed)
        slope = found.backward(self._slopes(objective, found.maps, cells, per))
        slope = self.flaws.mended(slope[..., rows.slice(), columns.slice()]).div_(per)
        down, right = self.canvas.shift
        return Window(own.rows.moved(-down), own.columns.moved(-right)), slope

    def _slopes(
        self, objective: Objective, found: Sequence[Tensor], cells: dict[int, Window], per: int
    ) -> list[Tensor]:
        """The objective's slope at some cells of the maps, times `per`."""
        slopes = []
        for k, values in enumerate(found):
            slope = torch.empty_like(values)
            for rows in _pieces_of_rows(values):
                there = Window(rows.moved(cells[k].rows.start), cells[k].columns)
                some, place = values[..., rows.slice(), :], self.layout.place(k, there)
                slope[..., rows.slice(), :] = objective.slope(some, k, place, per)
            slopes.append(slope)
        return slopes

    def _part(
        self, objective: Objective, picture: Picture, number: int, cells: Window
    ) -> tuple[Window, float]:
        """Some cells of a map, and their share in the objective."""

        def share(cells: Window) -> float:
            (own,) = self._look(picture, {number: cells}).values()
            return float(objective.total({number: own}, {number: layout.place(number, cells)}, 1))

        layout = self.layout
        with torch.no_grad():
            return cells, sum(in_pieces(cells, share))

    def _look(self, picture: Picture, cells: dict[int, Window]) -> dict[int, Tensor]:
        """Some cells of some maps."""
        layout = self.layout
        crop = layout.crop(cells)
        wanted = [
            layout.within(k, cells[k], crop) if k in cells else EMPTY
            for k in range(len(layout.counted))
        ]
        found = self.network.infer(self._take(picture, crop), wanted)
        return {k: found[k] for k in cells}

    def _take(self, picture: Picture, crop: Window) -> Tensor:
        return devices.send(self.canvas.take(picture, crop), self.network.device)

    def _assemble(
        self, picture: Picture, numbers: Collection[int], maps: dict[int, Tensor]
    ) -> Iterator[float]:
        """Put the counted cells of some maps into `maps`; yields each block's share of the work.

        Cells that see two blocks are computed twice, and are the same.
        """
        layout = self.layout

        def found(block: Window) -> list[tuple[dict[int, Window], dict[int, Tensor]]]:
            return in_pieces(block, one)

        def one(block: Window) -> tuple[dict[int, Window], dict[int, Tensor]]:
            cells = {k: window for k, window in enumerate(layout.seeing(block)) if k in numbers}
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
            size = (counted.rows.length, counted.columns.length)
            maps[number] = own.new_zeros(1, own.shape[1], *size)
        rows = cells.rows.slice(counted.rows.start)
        maps[number][..., rows, cells.columns.slice(counted.columns.start)] = own

    def _wanted(self, block: Window) -> bool:
        if self.mask is None:
            return True
        rows = block.rows.slice(self.window.rows.start)
        return bool(self.mask[..., rows, block.columns.slice(self.window.columns.start)].any())


def _common(one: Window, other: Window) -> Window:
    return Window(one.rows.common(other.rows), one.columns.common(other.columns))


def _pieces_of_rows(cells: Tensor) -> Iterator[Span]:
    """A map's rows, a few at a time: whatever is computed of its cells takes some times as much."""
    height = cells.shape[-2]
    rows = max(1, AT_ONCE * height // max(1, cells.numel()))
    if cells.device.type != "cpu":
        rows = height  # a card would wait for each of them to begin
    return (Span(top, min(height, top + rows)) for top in range(0, height, max(1, rows)))


def _within(window: Window, other: Window) -> Window:
    """A window as seen from the first pixel of another one."""
    return Window(window.rows.moved(-other.rows.start), window.columns.moved(-other.columns.start))


def in_pieces(window: Window, compute: Callable[[Window], T]) -> list[T]:
    """Compute something for a window; where memory does not suffice, for each of its quarters."""
    try:
        return [compute(window)]
    except (MemoryError, RuntimeError) as error:
        if not devices.is_out_of_memory(error) or window.area <= 1:
            raise
    # Behind the handler, where nothing holds on to what was computed until then.
    devices.free_memory()
    side = -(-max(window.rows.length, window.columns.length) // 2)
    return [found for part in divided(window, side) for found in in_pieces(part, compute)]
