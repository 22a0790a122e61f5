"""The exact tiled gradient: computed in tiles, with a result that does not depend on the tiles.

For an objective L = Σ f(a_u) over the cells u of some maps, the picture's pixels are divided into
blocks. The cells that see any pixel of a block are computed from all that they see (their crop);
their terms contain everything that the block's pixels contribute to L. So the gradient is complete
at these pixels, and only there it is kept. Every pixel's gradient is thus one sum, over the same
terms in the same order as untiled: no blending windows, no seams, and with convolutions that sum in
a fixed order (`networks/program/convolution.py`) it is bit-identical.

Terms that depend on a map as a whole (a class, a cosine) take two passes: the map is assembled from
the same tiles without a gradient, then the objective's gradient at each of its cells is computed,
and that makes the objective a sum over cells.

Summing partial gradients of blocks of cells instead would need smaller crops, but rounds
differently; after a dozen steps that flips a max pool's choice, and the dream becomes another one.
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
from dreamlayer.engine.objectives.regional import AnyObjective
from dreamlayer.engine.objectives.tally import CellSums, RegionTally
from dreamlayer.engine.tiling import tile_size, workers
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import EMPTY, ReceptiveLayout, TileableNetwork
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.geometry import Span, Window
from dreamlayer.runtime import interruption
from dreamlayer.runtime.devices import errors, memory, transfer

T = TypeVar("T")
VALUES_AT_ONCE = 1 << 20  # values of a map whose gradient is computed together
FIRST_PASS = 1 / 3  # share of the work; a pass without gradient costs about half of one with it


@dataclass(frozen=True)
class BlockPass:
    """One pass of a network for the gradient at a block's pixels; windows lie in the canvas.

    Attributes:
        block: in the picture.
        crop: the pixels that the network sees.
        framed: those whose gradient it computes.
        own: the block's, as far as any cell sees them.
        cells: of each map, that depend on the block.
        wanted: the same cells in the map of the crop.
        factor: the gradient is multiplied by this, so that it does not underflow.
    """

    block: Window
    crop: Window
    framed: Window
    own: Window
    cells: list[Window]
    wanted: list[Window]
    factor: int


@dataclass(frozen=True)
class TiledObjective:
    """An objective over the part of a picture that `window` touches, computed in tiles.

    Attributes:
        canvas: how the picture is presented to the network.
        window: pixels of the picture; the cells that see any of them are counted.
        side: the largest side of a block, in pixels; 0: the fastest one; or what plans the sides
            of a whole dream.
        mask: (1, 1, rows, columns) of the window; no gradient is computed for blocks where it is
            0 throughout. None: everywhere.
        nan_guard: replaces non-finite gradients by zero, and counts them.
        tally: what sums some values over the cells that are computed for the gradient; those
            centred in the window where the mask is not 0. None: nobody wants to know.
    """

    network: TileableNetwork
    objective: AnyObjective
    canvas: PictureCanvas
    window: Window
    side: int | TilePlan
    mask: Tensor | None = None
    nan_guard: NanGuard = field(default_factory=NanGuard)
    tally: RegionTally | None = None

    @cached_property
    def layout(self) -> ReceptiveLayout:
        return ReceptiveLayout(self.network, self.canvas, self.window)

    @cached_property
    def blocks(self) -> list[Window]:
        """The blocks of the window in which the mask is not zero throughout."""
        return [block for block in self.layout.blocks(self._side) if self._is_masked_in(block)]

    @property
    def is_one_block(self) -> bool:
        """Whether the window is one block."""
        return len(self.layout.blocks(self._side)) == 1

    @cached_property
    def _side(self) -> int:
        plan = self.side
        if not isinstance(plan, TilePlan):
            plan = TilePlan(self.network, plan)
        return plan.side(self.window, self.canvas.size)

    def add_gradient(self, picture: TensorOrPlane, total: Tensor | StoredPlane) -> Iterator[float]:
        """Add the gradient of the objective to `total`.

        Args:
            picture: (1, 3, height, width), R, G, B in 0..1.
            total: (1, 3, rows, columns) of the window; changed in place.

        Yields:
            the share of the work done, after each block.
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
        """The objective's value for a picture (1, 3, height, width)."""
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
                tasks = [
                    partial(self._block_value, objective, picture, k, cells) for cells in parts
                ]
                # Sum in the order of the cells: the order of completion varies.
                total += sum(value for _, value in sorted(self._run(tasks)))
        return total

    def _run(self, tasks: Sequence[Callable[[], T]]) -> Iterator[T]:
        """Run tasks in parallel if there are cores for it, else one after the other."""
        each = tile_size.threads_per_pass()
        if self.network.runs_on.type == "cpu" and workers.shared.count > each:
            yield from workers.shared.run(tasks, each)
        else:
            for task in tasks:
                interruption.check()
                yield task()

    def _fitting(self, window: Window, compute: Callable[[Window], T]) -> list[T]:
        """Compute something for a window, in parts if memory does not suffice for all of it.

        A network that is not local needs the whole picture for each part.
        """
        if not self.network.local:
            return [compute(window)]
        fitted: list[Window] = []

        def noted(part: Window) -> T:
            result = compute(part)
            fitted.append(part)
            return result

        results = split_until_it_fits(window, noted)
        if len(fitted) > 1 and self.network.runs_on.type != "cpu":
            self._remember(max(fitted, key=lambda part: part.area))
        return results

    def _remember(self, fitted: Window) -> None:
        """Keep later passes on a card to what this part of a block took."""
        took = tile_size.pass_bytes(self.network, max(fitted.size), fitted, self.canvas.size)
        memory.remember(self.network.runs_on, took)

    def _add_block(
        self,
        objective: AnyObjective,
        picture: TensorOrPlane,
        total: Tensor | StoredPlane,
        block: Window,
    ) -> Window:
        """Add the gradient at a block's pixels; returns the block."""
        for part in self._fitting(block, partial(self._block_grad, objective, picture)):
            own, grad = part
            seen = self.canvas.to_canvas(own)
            self.canvas.add(total[own.slices(self.window.origin)], own, seen, grad.to(total.device))
        return block

    def _block_grad(
        self, objective: AnyObjective, picture: TensorOrPlane, block: Window
    ) -> tuple[Window, Tensor]:
        """The pixels of a block that any cell sees, and their gradient."""
        there = self.block_pass(block)
        grad = self.pass_grad(objective, self._read_crop(picture, there.crop), there)
        grad = self.nan_guard.clean(grad[there.own.relative_to(there.framed).slices()])
        down, right = self.canvas.shift
        return there.own.shift(-down, -right), grad.div_(there.factor)

    def block_pass(self, block: Window) -> BlockPass:
        """What the network has to compute for the gradient at a block's pixels."""
        layout = self.layout
        frame = layout.aligned_frame(block)
        needed, crop = layout.dependencies(frame)
        framed, own = frame.intersect(crop), self.canvas.to_canvas(block).intersect(crop)
        wanted = [layout.cells_in_crop(k, window, crop) for k, window in enumerate(needed)]
        return BlockPass(block, crop, framed, own, needed, wanted, layout.counted[0].area)

    def pass_grad(self, objective: AnyObjective, pixels: Tensor, there: BlockPass) -> Tensor:
        """The gradient (1, 3, h, w) in a block's frame, times `factor`; `pixels` are its crop's."""
        forward = self.network.run(pixels, there.wanted, there.framed.relative_to(there.crop))
        cells = dict(enumerate(there.cells))
        grads = self._map_grads(objective, forward.maps, cells, there.factor)
        if self.tally is None:
            return forward.backward(grads)
        sums = self._cell_sums(self.tally, dict(enumerate(forward.maps)), cells, there.block)
        grad = forward.backward(grads)
        self.tally.note(sums)  # at last: what did not fit into memory is computed again
        return grad

    def measure(self, picture: TensorOrPlane, tally: RegionTally) -> None:
        """Sum values as `add_gradient` does with a tally, without a gradient."""

        def compute(block: Window) -> list[CellSums]:
            cells = {
                number: self.layout.cells_centred(number, block)
                for number in range(len(self.layout.counted))
            }
            cells = {number: window for number, window in cells.items() if window.area}
            if not cells:
                return []
            return self._cell_sums(tally, self.infer_cells(picture, cells), cells, block)

        for pieces in self._run([partial(self._fitting, block, compute) for block in self.blocks]):
            for sums in pieces:
                tally.note(sums)

    def _cell_sums(
        self, tally: RegionTally, maps: dict[int, Tensor], cells: dict[int, Window], block: Window
    ) -> list[CellSums]:
        """The sums over the cells of some maps that are centred in a block; each is in one."""
        sums = []
        for number, values in maps.items():
            own = self.layout.cells_centred(number, block).intersect(cells[number])
            if own.area:
                location = self.layout.location(number, own)
                some = values[own.slices(cells[number].origin)]
                sums.append(tally.sums(number, some, location, self._is_counted(number, own)))
        return sums

    def _is_counted(self, number: int, cells: Window) -> Tensor | None:
        """Whether the mask is not 0 where some cells of a map are centred, (h, w); None: all."""
        if self.mask is None:
            return None
        rows, columns = self.layout.centre_pixels(number, cells)
        return (self.mask[0, 0][rows][:, columns] != 0).cpu()

    def _map_grads(
        self, objective: AnyObjective, maps: Sequence[Tensor], cells: dict[int, Window], factor: int
    ) -> list[Tensor]:
        """The objective's gradient at some cells of the maps, times `factor`."""
        grads = []
        for k, values in enumerate(maps):
            pieces = list(_row_pieces(values))
            if len(pieces) == 1:
                location = self.layout.location(k, cells[k])
                grads.append(objective.grad(values, k, location, factor))
                continue
            grad = torch.empty_like(values)
            for rows in pieces:
                there = Window(rows.shift(cells[k].rows.start), cells[k].columns)
                some, location = values[..., rows.slice(), :], self.layout.location(k, there)
                grad[..., rows.slice(), :] = objective.grad(some, k, location, factor)
            grads.append(grad)
        return grads

    def _block_value(
        self, objective: AnyObjective, picture: TensorOrPlane, number: int, cells: Window
    ) -> tuple[Window, float]:
        """Some cells of a map, and their share in the objective's value."""

        def share(cells: Window) -> float:
            (own,) = self.infer_cells(picture, {number: cells}).values()
            return float(
                objective.total({number: own}, {number: layout.location(number, cells)}, 1)
            )

        layout = self.layout
        with torch.no_grad():
            return cells, sum(self._fitting(cells, share))

    def infer_cells(self, picture: TensorOrPlane, cells: dict[int, Window]) -> dict[int, Tensor]:
        """Compute some cells of some maps, without a gradient."""
        layout = self.layout
        crop = layout.crop(cells)
        wanted = [
            layout.cells_in_crop(k, cells[k], crop) if k in cells else EMPTY
            for k in range(len(layout.counted))
        ]
        maps = self.network.infer(self._read_crop(picture, crop), wanted)
        return {k: maps[k] for k in cells}

    def _read_crop(self, picture: TensorOrPlane, crop: Window) -> Tensor:
        return transfer.send(self.canvas.take(picture, crop), self.network.device)

    def _assemble(
        self, picture: TensorOrPlane, numbers: Collection[int], maps: dict[int, Tensor]
    ) -> Iterator[float]:
        """Write the counted cells of some maps to `maps`; yields each block's share of the work.

        Cells that see two blocks are computed twice, with equal results.
        """
        layout = self.layout

        def compute_pieces(block: Window) -> list[tuple[dict[int, Window], dict[int, Tensor]]]:
            return self._fitting(block, compute)

        def compute(block: Window) -> tuple[dict[int, Window], dict[int, Tensor]]:
            cells = {
                k: window for k, window in enumerate(layout.cells_seeing(block)) if k in numbers
            }
            return cells, self.infer_cells(picture, cells)

        blocks = layout.blocks(self._side)
        for pieces in self._run([partial(compute_pieces, block) for block in blocks]):
            for cells, own in pieces:
                for k, window in cells.items():
                    self._write_cells(maps, k, window, own[k])
            yield 1.0 / len(blocks)

    def _write_cells(
        self, maps: dict[int, Tensor], number: int, cells: Window, own: Tensor
    ) -> None:
        """Write some cells to the map that is being assembled."""
        counted = self.layout.counted[number]
        if number not in maps:
            maps[number] = own.new_zeros(1, own.shape[1], *counted.size)
        maps[number][cells.slices(counted.origin)] = own

    def _is_masked_in(self, block: Window) -> bool:
        if self.mask is None:
            return True
        return bool(self.mask[block.slices(self.window.origin)].any())


def _row_pieces(cells: Tensor) -> Iterator[Span]:
    """A map's rows, a few at a time, as temporary results take several times their memory."""
    height = cells.shape[-2]
    rows = max(1, VALUES_AT_ONCE * height // max(1, cells.numel()))
    if cells.device.type != "cpu":
        rows = height  # on a GPU each piece costs a kernel launch
    return (Span(top, min(height, top + rows)) for top in range(0, height, max(1, rows)))


def split_until_it_fits(window: Window, compute: Callable[[Window], T]) -> list[T]:
    """Compute something for a window or, if memory does not suffice, for each of its quarters."""
    try:
        return [compute(window)]
    except (MemoryError, RuntimeError) as error:
        if not errors.is_out_of_memory(error) or window.area <= 1:
            raise
    # After the handler, where the traceback no longer refers to partial results.
    memory.free_memory()
    side = -(-max(window.size) // 2)
    return [result for part in window.split(side) for result in split_until_it_fits(part, compute)]
