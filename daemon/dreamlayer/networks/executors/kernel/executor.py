"""Networks run by the compiled kernel instead of torch: on the CPU, in single precision.

Strips of rows go through all layers, so that only a few rows of each map are in memory. For the
gradient only bits are kept: which cells a ReLU passed, and which one a max pool chose. A call uses
as many threads as torch would without limits, and releases Python's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from dreamlayer.networks.executors.base import Executor, cut_out
from dreamlayer.networks.executors.kernel import library, regions
from dreamlayer.networks.executors.kernel.lowering import graph_of
from dreamlayer.networks.executors.kernel.memory_pool import MemoryPool
from dreamlayer.networks.executors.kernel.operations import KernelGraph
from dreamlayer.networks.executors.kernel.plan import DirectionPlan, KernelPlan, PackedWeights, plan
from dreamlayer.networks.executors.kernel.threads import run_together
from dreamlayer.networks.executors.kernel.weights import packed, padded_bias
from dreamlayer.networks.program.convolution import Box, Pair
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.memory_estimate import bytes_per_pixel
from dreamlayer.runtime import interruption, torch_threads

PLANS = 32  # sizes of crops whose plans are cached
SHARE_OF_TAPE = 0.15  # of a tape's memory: the kernel holds a few rows of each map only
PIECES = 64  # that are worked on between two questions whether to go on
SPANS = 1024  # of pixels or cells whose dependencies are cached


def kernel_executor(program: Program) -> KernelExecutor:
    """Return the executor that runs a program with the kernel.

    KernelUnavailable if there is no kernel, UnsupportedStep if it has no operation for a step.
    """
    kernel = library.library()
    return KernelExecutor(kernel, regions.with_good_origins(graph_of(program)), program)


class KernelExecutor(Executor):
    """A network that the kernel can run.

    Attributes:
        variant: name of the kernel's variant.
        kept_memory: the pool of buffers that passes keep for their gradient.
    """

    name = "kernel"

    def __init__(self, kernel: library.Library, graph: KernelGraph, program: Program) -> None:
        self._kernel, self._graph, self._program = kernel, graph, program
        self._weights = tuple(
            [
                PackedWeights(packed(operation, kernel.panel), padded_bias(operation))
                for operation in operations
            ]
            for operations in (graph.forward, graph.backward)
        )
        self.variant = kernel.variant
        self.grain = regions.grain(graph)
        self._plan = lru_cache(PLANS)(self._planned)
        self._dependencies = lru_cache(SPANS)(self._dependencies_of)
        self._scratch, self.kept_memory = MemoryPool(), MemoryPool()

    def gradient_dependencies(
        self, axis: int, length: int, pixels: Pair
    ) -> tuple[Pair, tuple[Pair, ...]]:
        """See Executor.gradient_dependencies; never None."""
        return self._dependencies(axis, length, None, pixels)

    def pixel_dependencies(self, axis: int, length: int, cells: Sequence[Pair]) -> Pair:
        """See Executor.pixel_dependencies; never None."""
        return self._dependencies(axis, length, tuple(cells), None)[0]

    def _dependencies_of(
        self, axis: int, length: int, cells: tuple[Pair, ...] | None, pixels: Pair | None
    ) -> tuple[Pair, tuple[Pair, ...]]:
        graph = self._graph
        needed = regions.kernel_region(graph, axis, graph.sizes(length, axis), cells, pixels)
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

    @cached_property
    def bytes_per_pixel(self) -> float:
        """See Executor.bytes_per_pixel."""
        return bytes_per_pixel(self._program) * SHARE_OF_TAPE

    def release(self) -> None:
        """See Executor.release."""
        self._scratch.empty()
        self.kept_memory.empty()

    def plan(
        self, size: Pair, outputs: Sequence[Box] | None, inputs_kept: Box | None, gradient: bool
    ) -> KernelPlan:
        """Return the plan for crops of a size (height, width); see plan.py."""
        if outputs is None:
            both = [self._graph.sizes(length, axis) for axis, length in enumerate(size)]
            outputs = [
                ((0, both[0][place.root]), (0, both[1][place.root]))
                for place in self._graph.outputs
            ]
        inputs_kept = inputs_kept or ((0, size[0]), (0, size[1]))
        if not all(0 <= a < b <= length for (a, b), length in zip(inputs_kept, size, strict=True)):
            raise ValueError("The pixels to keep do not lie in the crop.")
        return self._plan(size, _as_key(outputs), _as_key([inputs_kept])[0], gradient)

    def _planned(
        self, size: Pair, outputs: tuple[Box, ...], inputs_kept: Box, gradient: bool
    ) -> KernelPlan:
        weights = (self._weights[0], self._weights[1])
        return plan(self._graph, self._kernel, weights, size, outputs, inputs_kept, gradient)

    def work(
        self,
        direction: DirectionPlan,
        plan: KernelPlan,
        kept: Tensor,
        elsewhere: dict[int, Tensor],
        planes: Tensor,
        seeds: Sequence[Tensor] = (),
    ) -> None:
        """Run one direction of a pass.

        Args:
            direction: of `plan`; its scratch memory is taken and given back here.
            plan: of the pass.
            kept: bytes of marks and choices.
            elsewhere: {root: tensor} of the roots that have tensors of their own.
            planes: (1, 3, H, W), the picture that is read or the gradient that is written.
            seeds: the gradient of each map, see `seeds`.
        """
        threads = torch_threads.threads_without_limits()
        scratch = self._scratch.take(plan.scratch_size(threads))
        bases = [
            elsewhere[root].data_ptr() if root in elsewhere else scratch.data_ptr() + (offset or 0)
            for root, offset in enumerate(direction.scratch.offsets)
        ]
        operations = self._graph.forward if direction is plan.forward else self._graph.backward
        steps = type(direction.steps).from_buffer_copy(direction.steps)
        for step, operation in zip(steps, operations, strict=True):
            if operation.kind != library.GRADIENT:
                step.out.data = bases[operation.target.root]
            if operation.seed is not None:
                step.in_.data = seeds[operation.seed].data_ptr()
            elif operation.source is not None:
                step.in_.data = bases[operation.source.root]
            if operation.target.root in plan.marks and operation.kind != library.GRADIENT:
                step.marks.data = kept.data_ptr() + plan.marks[operation.target.root]
            if operation.chosen in plan.choices:
                step.choices.data = kept.data_ptr() + plan.choices[operation.chosen]
            if operation.kind in {library.PICTURE, library.GRADIENT}:
                step.planes = planes.data_ptr()
                _, step.plane, step.line, step.column = planes.stride()
        shared = torch.zeros(len(direction.pieces) * library.PROGRESS, dtype=torch.uint8)

        ended = interruption.question()

        def work_on_share(number: int) -> None:
            own = scratch.data_ptr() + direction.scratch.size + number * direction.scratch.workspace
            for first in range(0, len(direction.pieces), PIECES):
                if ended():  # threads may end after different pieces: each shares the work anew
                    raise interruption.Interrupted
                progress = shared.data_ptr() + first * library.PROGRESS
                self._kernel.run(steps, direction.some(first, PIECES), own, number, progress)

        run_together(work_on_share, threads)
        self._scratch.give(scratch)

    def prepared(self, plan: KernelPlan) -> tuple[Tensor, dict[int, Tensor]]:
        """Return the kept memory of a pass, and tensors (h, w, channels) for its maps' roots."""
        kept = self.kept_memory.take(plan.kept)
        for root, complete in self._graph.marked.items():
            if not complete and root in plan.marks:
                # Set all bits: channels without ReLU pass, the others are overwritten.
                kept[plan.marks[root] :] = 255
        roots = {place.root for place in self._graph.outputs}
        return kept, {
            root: torch.empty(*plan.sizes[root], self._graph.depths[root]) for root in roots
        }

    def maps(self, plan: KernelPlan, roots: dict[int, Tensor]) -> tuple[Tensor, ...]:
        """Return the requested cells (1, C, h, w) of the maps, from their roots (h, w, C)."""
        return tuple(
            cells[..., place.first : place.first + place.channels].permute(2, 0, 1)[None]
            for place, box in zip(self._graph.outputs, plan.outputs, strict=True)
            for cells in [cut_out(roots[place.root].permute(2, 0, 1), box).permute(1, 2, 0)]
        )

    def seeds(self, plan: KernelPlan, grads: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient of whole maps, 0 outside `plan.outputs`, in whole channel groups."""
        seeds = []
        for grad, place, box in zip(grads, self._graph.outputs, plan.outputs, strict=True):
            (top, bottom), (left, right) = box
            cells = torch.zeros(*plan.sizes[place.root], place.depth)
            cells[top:bottom, left:right, : place.channels] = grad[0].permute(1, 2, 0)
            seeds.append(cells)
        return seeds


def _as_key(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Boxes as plain tuples, the keys of a cache."""
    return tuple(((top, bottom), (left, right)) for (top, bottom), (left, right) in boxes)


class KernelPass:
    """One pass of a network over one crop; see Pass."""

    def __init__(
        self,
        executor: KernelExecutor,
        x: Tensor,
        outputs: Sequence[Box] | None,
        inputs_kept: Box | None,
        gradient: bool,
    ) -> None:
        """Run a network over a picture (1, 3, H, W); ValueError for other tensors and tiny ones."""
        if x.dim() != 4 or x.shape[:2] != (1, 3) or x.dtype != torch.float32 or x.is_cuda:
            raise ValueError("The kernel takes one picture (1, 3, H, W) of 32-bit floats.")
        size = (x.shape[2], x.shape[3])
        self._executor, self._plan = executor, executor.plan(size, outputs, inputs_kept, gradient)
        self._kept: Tensor | None
        self._kept, roots = executor.prepared(self._plan)
        executor.work(self._plan.forward, self._plan, self._kept, roots, x.detach())
        self.maps = executor.maps(self._plan, roots)
        if not gradient:
            executor.kept_memory.give(self._kept)
            self._kept = None

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient (1, 3, h, w) at the kept pixels, given that of each map.

        May be called once: it frees the kept memory, and the maps. ValueError the second time, and
        for gradients of other shapes than the maps'.
        """
        kept, self._kept = self._kept, None
        if kept is None or self._plan.backward is None:
            raise ValueError("Nothing was kept of this pass to compute a gradient from.")
        if [grad.shape for grad in grads] != [cells.shape for cells in self.maps]:
            raise ValueError("There has to be one gradient a map, of its shape.")
        self.maps = ()
        seeds = self._executor.seeds(self._plan, [grad.detach() for grad in grads])
        del grads  # free them: the seeds are as large
        gradient = torch.empty(1, 3, *(last - first for first, last in self._plan.inputs_kept))
        self._executor.work(self._plan.backward, self._plan, kept, {}, gradient, seeds)
        self._executor.kept_memory.give(kept)
        return gradient
