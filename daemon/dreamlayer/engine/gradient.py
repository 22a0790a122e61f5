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

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from dreamlayer.engine.canvas import Canvas
from dreamlayer.engine.flaws import Flaws
from dreamlayer.engine.layout import Cut, Layout
from dreamlayer.engine.objectives import Objective
from dreamlayer.engine.planes import Picture, Stored
from dreamlayer.engine.tiles import Window
from dreamlayer.models.passes import cut_out

FIRST_PASS = 1 / 3  # of the work; a pass without gradient costs about half of one with it


@dataclass(frozen=True)
class TiledObjective:
    """An objective over the part of a picture that `window` touches, computed in tiles.

    Attributes:
        canvas: how the network sees the picture.
        window: pixels of the picture; the cells that see any of them are counted.
        side: the largest side of a block, in pixels.
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
        return [block for block in self.layout.blocks(self.side) if self._wanted(block)]

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
        area = sum(block.area for block in self.blocks)
        for block in self.blocks:
            self._add_block(objective, picture, total, block)
            yield block.area / area * left

    def value(self, picture: Picture) -> float:
        """The objective for a picture (1, 3, height, width)."""
        layout, total = self.layout, 0.0
        with torch.inference_mode():
            for k, counted in enumerate(layout.counted):
                objective = self.objective.on_map(k)
                if not objective.additive:
                    maps: dict[int, Tensor] = {}
                    list(self._assemble(picture, [k], maps))
                    total += float(objective.value(maps, {k: layout.place(k, counted)}))
                    continue
                for cells in layout.parts(k, self.side) if objective.terms else ():
                    crop = layout.crop({k: cells})
                    found = self.network(self.canvas.take(picture, crop))[k]
                    own = {k: cut_out(found, layout.within(k, cells, crop))}
                    total += float(objective.total(own, {k: layout.place(k, cells)}, 1))
        return total

    def _add_block(
        self, objective: Objective, picture: Picture, total: Tensor | Stored, block: Window
    ) -> None:
        layout = self.layout
        cells = dict(enumerate(layout.seeing(block)))
        crop = layout.crop(cells)
        own = self.canvas.place(block)
        own = Window(own.rows.common(crop.rows), own.columns.common(crop.columns))
        keep = Window(own.rows.moved(-crop.rows.start), own.columns.moved(-crop.columns.start))
        wanted = [layout.within(k, window, crop) for k, window in cells.items()]
        found = self.network.run(self.canvas.take(picture, crop), wanted, keep)
        per = layout.counted[0].area
        with torch.enable_grad():
            maps = [found_cells.detach().requires_grad_(True) for found_cells in found.maps]
            places = {k: layout.place(k, window) for k, window in cells.items()}
            value = objective.total(dict(enumerate(maps)), places, per)
            slopes = torch.autograd.grad(value, maps, materialize_grads=True)
        slope = self.flaws.mended(found.pull_back(slopes))
        rows = block.rows.slice(self.window.rows.start)
        columns = block.columns.slice(self.window.columns.start)
        self.canvas.add(total[..., rows, columns], block, own, slope / per)

    def _assemble(
        self, picture: Picture, numbers: Collection[int], maps: dict[int, Tensor]
    ) -> Iterator[float]:
        """Put the counted cells of some maps into `maps`; yields each block's share of the work.

        Cells that see two blocks are computed twice, and are the same.
        """
        layout = self.layout
        for block in layout.blocks(self.side):
            cells = {k: window for k, window in enumerate(layout.seeing(block)) if k in numbers}
            crop = layout.crop(cells)
            with torch.no_grad():
                found = self.network(self.canvas.take(picture, crop))
            for k, window in cells.items():
                counted = layout.counted[k]
                own = cut_out(found[k], layout.within(k, window, crop))
                if k not in maps:
                    size = (counted.rows.length, counted.columns.length)
                    maps[k] = own.new_zeros(1, own.shape[1], *size)
                rows = window.rows.slice(counted.rows.start)
                maps[k][..., rows, window.columns.slice(counted.columns.start)] = own
            yield block.area / self.window.area

    def _wanted(self, block: Window) -> bool:
        if self.mask is None:
            return True
        rows = block.rows.slice(self.window.rows.start)
        return bool(self.mask[..., rows, block.columns.slice(self.window.columns.start)].any())
