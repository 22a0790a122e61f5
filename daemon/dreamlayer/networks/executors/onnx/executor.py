"""Runs a program as ONNX graphs: two for each shape of tile, forward and backward.

A gradient is forward convolutions, comparisons and choices here, so ONNX Runtime needs none of what
is made for training. Its WebGPU provider runs the graphs on graphics cards of any maker, by Vulkan,
Direct3D 12 or Metal. Pictures, maps and gradients are float32 tensors on the CPU; what a pass keeps
for its gradient stays on the card.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dreamlayer.networks.executors.base import Executor
from dreamlayer.networks.executors.onnx.operations import has_cells
from dreamlayer.networks.executors.onnx.pass_graphs import PassGraphs, PassShape
from dreamlayer.networks.executors.onnx.sessions import (
    CPU_PROVIDER,
    WEBGPU_PROVIDER,
    OnnxSession,
)
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.memory_estimate import bytes_per_pixel
from dreamlayer.networks.program.passes import arranged, channels
from dreamlayer.networks.program.regions import lengths_of
from dreamlayer.runtime import interruption

SESSIONS = 24  # shapes of tiles that are kept; a dream has some ten to twenty
SESSION_BYTES = 1 << 30  # of the weights in them: each session has its own copy
OVERHEAD = 1.5  # measured memory over the estimate: buffers of a few sizes are used again


class OnnxExecutor(Executor):
    """A program in float32 on a card by WebGPU, or on the CPU for comparisons."""

    name = "onnx"

    def __init__(self, program: Program, on_card: bool = True) -> None:
        self._original, self._program = program, arranged(program)
        self._channels = channels(self._program)
        self.on_card = on_card
        self._provider = WEBGPU_PROVIDER if on_card else CPU_PROVIDER
        self._lock = threading.Lock()
        self._sessions: dict[PassShape, ShapeSessions] = {}

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> OnnxPass:
        """See Executor.run."""
        size = (x.shape[-2], x.shape[-1])
        boxes = self._grids(size) if outputs is None else tuple(outputs)
        return self._pass(x, PassShape(size, boxes, inputs_kept or ((0, size[0]), (0, size[1]))))

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        """See Executor.infer."""
        return self._pass(x, PassShape((x.shape[-2], x.shape[-1]), tuple(outputs), None)).maps

    @cached_property
    def bytes_per_pixel(self) -> float:
        """See Executor.bytes_per_pixel."""
        return bytes_per_pixel(self._original) * OVERHEAD

    def _pass(self, x: Tensor, shape: PassShape) -> OnnxPass:
        interruption.check()
        sessions = self._sessions_for(shape)
        outputs, kept = sessions.forward.run([x.detach()])
        maps = tuple(
            x.new_empty(1, self._channels[value], *_size(box)) if cells is None else cells
            for value, cells, box in zip(self._program.outputs, outputs, shape.outputs, strict=True)
        )
        return OnnxPass(maps, sessions, kept, shape)

    def _sessions_for(self, shape: PassShape) -> ShapeSessions:
        """The sessions of a shape, compiled when it comes for the first time."""
        with self._lock:
            found = self._sessions.pop(shape, None) or self._compiled(shape)
            while self._sessions and (
                len(self._sessions) >= SESSIONS
                or found.weight_bytes * (len(self._sessions) + 1) > SESSION_BYTES
            ):
                del self._sessions[next(iter(self._sessions))]
            self._sessions[shape] = found  # at the end: the least recently used is first
            return found

    def _compiled(self, shape: PassShape) -> ShapeSessions:
        graphs = PassGraphs(self._program, shape)
        forward = graphs.forward()
        if shape.inputs_kept is None:
            return ShapeSessions(OnnxSession(forward, self._provider), None, forward.weight_bytes)
        backward = graphs.backward()
        return ShapeSessions(
            OnnxSession(forward, self._provider),
            OnnxSession(backward, self._provider) if backward.outputs[0] else None,
            forward.weight_bytes + backward.weight_bytes,
        )

    def _grids(self, size: tuple[int, int]) -> tuple[Box, ...]:
        """All cells of each map of a crop."""
        rows, columns = (lengths_of(self._program, axis, size[axis]) for axis in (0, 1))
        return tuple(((0, rows[value]), (0, columns[value])) for value in self._program.outputs)


class ShapeSessions(NamedTuple):
    """The sessions of one shape; no `backward` if no gradient is asked for, or it is zero."""

    forward: OnnxSession
    backward: OnnxSession | None
    weight_bytes: int


class OnnxPass:
    """One pass of a program over a crop; see Pass."""

    def __init__(
        self,
        maps: tuple[Tensor, ...],
        sessions: ShapeSessions,
        kept: list[Any],
        shape: PassShape,
    ) -> None:
        self.maps, self._shape = maps, shape
        # What is kept lies in the forward session's memory, and must be freed before that.
        self._kept = kept
        self._sessions = sessions

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        interruption.check()
        assert self._shape.inputs_kept is not None
        kept, self._kept = self._kept, []
        if self._sessions.backward is None:
            return torch.zeros(1, 3, *_size(self._shape.inputs_kept))
        (grad,), _ = self._sessions.backward.run([grad.detach() for grad in grads], kept)
        assert grad is not None
        return grad


def _size(box: Box) -> tuple[int, int]:
    (top, bottom), (left, right) = box
    return (bottom - top, right - left) if has_cells(box) else (0, 0)
