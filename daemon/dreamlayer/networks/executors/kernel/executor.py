"""Networks run by the compiled kernel instead of torch: on the CPU, in single precision.

Strips of rows go through all layers at once, so that memory is a few rows of each map; of the way
there only bits are kept: which cells ReLU let pass, which one a maximum came from. A call takes as
many threads as torch would in its place, and lets other Python threads go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from dreamlayer.networks.executors.base import Executor, cut_out
from dreamlayer.networks.executors.kernel import library
from dreamlayer.networks.executors.kernel import regions as cones
from dreamlayer.networks.executors.kernel.library import Unusable
from dreamlayer.networks.executors.kernel.lowering import graph_of
from dreamlayer.networks.executors.kernel.memory_pool import Pool
from dreamlayer.networks.executors.kernel.operations import Graph, Uncovered
from dreamlayer.networks.executors.kernel.plan import Direction, Packed, Plan, plan
from dreamlayer.networks.executors.kernel.threads import together
from dreamlayer.networks.executors.kernel.weights import packed, padded_bias
from dreamlayer.networks.program.convolution import Box, Pair
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.memory_estimate import bytes_per_pixel

__all__ = ["KernelExecutor", "KernelPass", "Uncovered", "Unusable", "kernel_executor"]

PLANS = 32  # sizes of crops for which plans are kept
SHARE_OF_TAPE = 0.15  # of a tape's memory: the kernel holds a few rows of each map only
SPANS = 1024  # of pixels, for which it is remembered what they need


def kernel_executor(program: Program) -> KernelExecutor:
    """Return the executor that runs a program with the kernel.

    Unusable if there is no kernel, Uncovered if it has no operation for a step of the program.
    """
    kernel = library.library()
    return KernelExecutor(kernel, cones.with_good_origins(graph_of(program)), program)


class KernelExecutor(Executor):
    """A network that the kernel can run.

    Attributes:
        variant: of the kernel, by its name.
        marks: memory for what passes keep for the gradient.
    """

    name = "kernel"

    def __init__(self, kernel: library.Library, graph: Graph, program: Program) -> None:
        self._kernel, self._graph, self._program = kernel, graph, program
        self._weights = tuple(
            [Packed(packed(one, kernel.panel), padded_bias(one)) for one in operations]
            for operations in (graph.forward, graph.backward)
        )
        self.variant = kernel.variant
        self.grain = cones.grain(graph)
        self._plan = lru_cache(PLANS)(self._planned)
        self._dependencies = lru_cache(SPANS)(self._found)
        self._rooms, self.marks = Pool(), Pool()

    def gradient_dependencies(
        self, axis: int, length: int, pixels: Pair
    ) -> tuple[Pair, tuple[Pair, ...]]:
        """See Executor.gradient_dependencies; never None."""
        return self._dependencies(axis, length, None, pixels)

    def pixel_dependencies(self, axis: int, length: int, cells: Sequence[Pair]) -> Pair:
        """See Executor.pixel_dependencies; never None."""
        return self._dependencies(axis, length, tuple(cells), None)[0]

    def _found(
        self, axis: int, length: int, cells: tuple[Pair, ...] | None, pixels: Pair | None
    ) -> tuple[Pair, tuple[Pair, ...]]:
        graph = self._graph
        needed = cones.cone(graph, axis, graph.sizes(length, axis), cells, pixels)
        seen = needed.values[graph.forward[0].target.root]
        return seen, tuple(needed.grads[place.root] for place in graph.outputs)

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        """See Executor.infer."""
        return KernelPass(self, x, outputs, None, gradient=False).maps

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> KernelPass:
        """See Executor.run."""
        return KernelPass(self, x, outputs, inputs_kept, gradient=True)

    def bytes_per_pixel(self, sample: int) -> float:
        """See Executor.bytes_per_pixel."""
        return bytes_per_pixel(self._program, sample) * SHARE_OF_TAPE

    def release(self) -> None:
        """See Executor.release."""
        self._rooms.empty()
        self.marks.empty()

    def plan(
        self, size: Pair, outputs: Sequence[Box] | None, inputs_kept: Box | None, gradient: bool
    ) -> Plan:
        """Return the plan for crops of a size (height, width); see kernel_plan."""
        if outputs is None:
            both = [self._graph.sizes(length, axis) for axis, length in enumerate(size)]
            outputs = [
                ((0, both[0][place.root]), (0, both[1][place.root]))
                for place in self._graph.outputs
            ]
        inputs_kept = inputs_kept or ((0, size[0]), (0, size[1]))
        if not all(0 <= a < b <= length for (a, b), length in zip(inputs_kept, size, strict=True)):
            raise ValueError("The pixels to keep do not lie in the crop.")
        return self._plan(size, _plain(outputs), _plain([inputs_kept])[0], gradient)

    def _planned(
        self, size: Pair, outputs: tuple[Box, ...], inputs_kept: Box, gradient: bool
    ) -> Plan:
        weights = (self._weights[0], self._weights[1])
        return plan(self._graph, self._kernel, weights, size, outputs, inputs_kept, gradient)

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
            seeds: the maps' grads, cells of whole groups of channels.
        """
        threads = torch.get_num_threads()
        room = self._rooms.take(plan.room(threads))
        bases = [
            elsewhere[root].data_ptr() if root in elsewhere else room.data_ptr() + (place or 0)
            for root, place in enumerate(direction.room.places)
        ]
        operations = self._graph.forward if direction is plan.forward else self._graph.backward
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
        shared = torch.zeros(len(direction.pieces) * library.PROGRESS, dtype=torch.uint8)

        def share(number: int) -> None:
            own = room.data_ptr() + direction.room.size + number * direction.room.workspace
            self._kernel.run(steps, direction.pieces, own, number, shared.data_ptr())

        together(share, threads)
        self._rooms.give(room)

    def prepared(self, plan: Plan) -> tuple[Tensor, dict[int, Tensor]]:
        """Return memory for the marks of a pass, and for its maps (h, w, channels)."""
        kept = self.marks.take(plan.kept)
        for root, complete in self._graph.marked.items():
            if not complete and root in plan.marks:
                kept[plan.marks[root] :] = 255  # what no ReLU gates passes; the rest is overwritten
        roots = {place.root for place in self._graph.outputs}
        return kept, {
            root: torch.empty(*plan.sizes[root], self._graph.depths[root]) for root in roots
        }

    def maps(self, plan: Plan, found: dict[int, Tensor]) -> tuple[Tensor, ...]:
        """Return the requested cells (1, C, h, w) of the maps, from their roots (h, w, C)."""
        return tuple(
            cells[..., place.first : place.first + place.channels].permute(2, 0, 1)[None]
            for place, box in zip(self._graph.outputs, plan.outputs, strict=True)
            for cells in [cut_out(found[place.root].permute(2, 0, 1), box).permute(1, 2, 0)]
        )

    def seeds(self, plan: Plan, grads: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient of whole maps, 0 outside `plan.outputs`, in whole channel groups."""
        found = []
        for grad, place, box in zip(grads, self._graph.outputs, plan.outputs, strict=True):
            (top, bottom), (left, right) = box
            cells = torch.zeros(*plan.sizes[place.root], place.depth)
            cells[top:bottom, left:right, : place.channels] = grad[0].permute(1, 2, 0)
            found.append(cells)
        return found


def _plain(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Boxes as keys of a cache."""
    return tuple(((top, bottom), (left, right)) for (top, bottom), (left, right) in boxes)


class KernelPass:
    """One run of a network over one crop; see Pass."""

    def __init__(
        self,
        runner: KernelExecutor,
        x: Tensor,
        outputs: Sequence[Box] | None,
        inputs_kept: Box | None,
        gradient: bool,
    ) -> None:
        """Run a network over a picture (1, 3, H, W); ValueError if it is none, or too small."""
        if x.dim() != 4 or x.shape[:2] != (1, 3) or x.dtype != torch.float32 or x.is_cuda:
            raise ValueError("The kernel takes one picture (1, 3, H, W) of 32-bit floats.")
        size = (x.shape[2], x.shape[3])
        self._runner, self._plan = runner, runner.plan(size, outputs, inputs_kept, gradient)
        self._marks: Tensor | None
        self._marks, found = runner.prepared(self._plan)
        runner.work(self._plan.forward, self._plan, self._marks, found, x.detach())
        self.maps = runner.maps(self._plan, found)
        if not gradient:
            runner.marks.give(self._marks)
            self._marks = None

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient (1, 3, h, w) at the kept pixels, given that of each map.

        May be called once: what was kept for it is then let go, and the maps too. ValueError the
        second time, and for grads of other shapes than the maps'.
        """
        marks, self._marks = self._marks, None
        if marks is None or self._plan.backward is None:
            raise ValueError("Nothing was kept of this pass to compute a gradient from.")
        if [grad.shape for grad in grads] != [cells.shape for cells in self.maps]:
            raise ValueError("There has to be one gradient a map, of its shape.")
        self.maps = ()
        seeds = self._runner.seeds(self._plan, [grad.detach() for grad in grads])
        del grads  # the seeds are as large
        gradient = torch.empty(1, 3, *(last - first for first, last in self._plan.inputs_kept))
        self._runner.work(self._plan.backward, self._plan, marks, {}, gradient, seeds)
        self._runner.marks.give(marks)
        return gradient
