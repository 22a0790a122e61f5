"""Networks run by the compiled kernel instead of torch: on the CPU, in single precision.

Strips of rows go through all layers at once, so that memory is a few rows of each map; of the way
there only bits are kept: which cells ReLU let pass, which one a maximum came from. Each call runs
in one thread, lets other Python threads go on, and has memory of its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from dreamlayer.models import kernel_cones as cones
from dreamlayer.models import kernel_library as library
from dreamlayer.models.kernel_graph import Graph, Uncovered, graph_of
from dreamlayer.models.kernel_library import Unusable
from dreamlayer.models.kernel_plan import Direction, Kept, Packed, Plan, plan
from dreamlayer.models.kernel_weights import packed, padded_bias
from dreamlayer.models.program import Program

__all__ = ["KernelPass", "Runner", "Uncovered", "Unusable", "runner"]

PLANS = 32  # sizes of crops for which plans are kept


def runner(program: Program) -> Runner:
    """Return what runs a program with the kernel.

    Unusable if there is no kernel, Uncovered if it has no operation for a step of the program.
    """
    return Runner(library.library(), cones.with_good_origins(graph_of(program)))


class Runner:
    """A network that the kernel can run.

    Attributes:
        variant: of the kernel, by its name.
        grain: crops begin on multiples of it, in pixels, for every cell to be computed alike.
    """

    def __init__(self, kernel: library.Library, graph: Graph) -> None:
        self._kernel, self._graph = kernel, graph
        self._weights = tuple(
            [Packed(packed(one, kernel.panel), padded_bias(one)) for one in operations]
            for operations in (graph.forward, graph.backward)
        )
        self.variant = kernel.variant
        self.grain = cones.grain(graph)
        self._plan = lru_cache(PLANS)(self._planned)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps (1, C, h, w) of a picture (1, 3, H, W), R, G, B in 0..1."""
        return KernelPass(self, x, None, gradient=False).maps

    def run(self, x: Tensor, kept: Kept | None = None) -> KernelPass:
        """Return a pass over a picture (1, 3, H, W), R, G, B in 0..1.

        Args:
            x: the picture, or a crop of it that begins on a multiple of the grain.
            kept: the pixels whose gradient is wanted, rows and columns, first and last + 1. Cells
                that they do not see are not computed, and are 0. None for all pixels.
        """
        return KernelPass(self, x, kept, gradient=True)

    def plan(self, size: tuple[int, int], kept: Kept | None, gradient: bool) -> Plan:
        """Return the plan for crops of a size (height, width); see kernel_plan."""
        return self._plan(size, kept, gradient)

    def _planned(self, size: tuple[int, int], kept: Kept | None, gradient: bool) -> Plan:
        weights = (self._weights[0], self._weights[1])
        return plan(self._graph, self._kernel, weights, size, kept, gradient)

    def work(
        self,
        direction: Direction,
        plan: Plan,
        kept: Tensor,
        elsewhere: dict[int, Tensor],
        planes: Tensor,
        seeds: Sequence[Tensor] = (),
    ) -> None:
        """Run one direction of a pass.

        Args:
            direction: of `plan`, whose memory is taken here and given back.
            plan: the pass's.
            kept: bytes of the marks.
            elsewhere: the roots that lie in tensors of their own.
            planes: (1, 3, H, W), the picture that is read or the gradient that is written.
            seeds: the maps' slopes, cells of whole groups of channels.
        """
        room = torch.empty(direction.room.size, dtype=torch.uint8)
        bases = [
            elsewhere[root].data_ptr() if root in elsewhere else room.data_ptr() + (place or 0)
            for root, place in enumerate(direction.room.places)
        ]
        operations = (
            self._graph.forward if direction is plan.forward else self._graph.backward
        )
        steps = type(direction.steps).from_buffer_copy(direction.steps)
        for step, one in zip(steps, operations, strict=True):
            if one.kind != library.GRADIENT:
                step.out.data = bases[one.target.root]
            if one.seed is not None:
                step.in_.data = seeds[one.seed].data_ptr()
            elif one.source is not None:
                step.in_.data = bases[one.source.root]
            if one.target.root in plan.marks and one.kind != library.GRADIENT:
                step.marks.data = kept.data_ptr() + plan.marks[one.target.root]
            if one.chosen in plan.choices:
                step.choices.data = kept.data_ptr() + plan.choices[one.chosen]
            if one.kind in {library.PICTURE, library.GRADIENT}:
                step.planes = planes.data_ptr()
                _, step.plane, step.line, step.column = planes.stride()
        self._kernel.run(steps, direction.pieces, room.data_ptr() + direction.room.work)

    def prepared(self, plan: Plan) -> tuple[Tensor, dict[int, Tensor]]:
        """Return memory for the marks of a pass, and for its maps (h, w, channels)."""
        kept = torch.empty(plan.kept, dtype=torch.uint8)
        for root, complete in self._graph.marked.items():
            if not complete and root in plan.marks:
                kept[plan.marks[root] :] = 255  # what no ReLU gates passes; the rest is overwritten
        new = torch.empty if plan.whole else torch.zeros
        roots = {place.root for place in self._graph.outputs}
        return kept, {root: new(*plan.sizes[root], self._graph.depths[root]) for root in roots}

    def maps(self, found: dict[int, Tensor]) -> tuple[Tensor, ...]:
        """Return the maps (1, C, h, w) out of their roots (h, w, channels)."""
        return tuple(
            found[place.root][..., place.first : place.first + place.channels].permute(2, 0, 1)[None]
            for place in self._graph.outputs
        )

    def seeds(self, slopes: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps' slopes as cells (h, w, channels) of whole groups of channels."""
        found = []
        for slope, place in zip(slopes, self._graph.outputs, strict=True):
            missing = place.depth - place.channels
            cells = torch.nn.functional.pad(slope[0].permute(1, 2, 0), (0, missing))
            found.append(cells.contiguous())
        return found


class KernelPass:
    """One run of a network over one crop; see models.passes."""

    def __init__(self, runner: Runner, x: Tensor, kept: Kept | None, gradient: bool) -> None:
        """Run a network over a picture (1, 3, H, W); ValueError if it is none, or too small."""
        if x.dim() != 4 or x.shape[:2] != (1, 3) or x.dtype != torch.float32 or x.is_cuda:
            raise ValueError("The kernel takes one picture (1, 3, H, W) of 32-bit floats.")
        size = (x.shape[2], x.shape[3])
        if kept is not None:
            for (first, last), length in zip(kept, size, strict=True):
                if not 0 <= first < last <= length:
                    raise ValueError(f"The pixels {first} to {last} do not lie in the crop.")
        x = x.detach()
        self._runner, self._plan = runner, runner.plan(size, kept, gradient)
        self._size, self._whole = size, kept is None
        self._marks: Tensor | None
        self._marks, found = runner.prepared(self._plan)
        runner.work(self._plan.forward, self._plan, self._marks, found, x)
        self.maps = runner.maps(found)

    def pull_back(self, slopes: Sequence[Tensor]) -> Tensor:
        """Return the gradient (1, 3, H, W) at the crop, 0 outside the pixels that are kept.

        May be called once: what was kept for it is then let go. ValueError the second time, and
        for slopes of other shapes than the maps'.
        """
        marks, self._marks = self._marks, None
        if marks is None or self._plan.backward is None:
            raise ValueError("Nothing was kept of this pass from which slopes could be pulled back.")
        if [slope.shape for slope in slopes] != [cells.shape for cells in self.maps]:
            raise ValueError("There has to be one slope a map, of its shape.")
        seeds = self._runner.seeds([slope.detach().float() for slope in slopes])
        gradient = torch.zeros(1, 3, *self._size)
        self._runner.work(self._plan.backward, self._plan, marks, {}, gradient, seeds)
        return gradient
