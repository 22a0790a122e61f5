"""Networks on a graphics card: bfloat16, one CUDA graph for each shape of tile.

A tape's steps are the same there. Their numbers are bfloat16 by default, which the cards compute
many times as fast; picture, detail and gradient stay float32. `DREAMLAYER_PRECISION` says `fp16`
(as fast, more exact, but what grows beyond 65504 is lost), `tf32` (float32, multiplied with 10
bits) or `fp32` instead.

A pass is some hundred small kernels. For each shape of tile they are recorded once as two graphs,
forth and back, and then replayed without Python and without a launch for each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from dreamlayer.networks.executors.base import Executor, Pass
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.memory_estimate import TORCH_OVERHEAD, bytes_per_pixel
from dreamlayer.networks.program.steps import Cast, Normalise

PRECISION = "DREAMLAYER_PRECISION"  # environment
PRECISIONS = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "tf32": torch.float32,
    "fp32": torch.float32,
}
GRAPHS = 24  # tile shapes whose graphs are kept; each holds its memory


class BadPrecision(ValueError):
    """There is no such precision; the message is a sentence for the user."""


def precision() -> str:
    """The precision asked for, bf16 if none was."""
    choice = os.environ.get(PRECISION, "").strip().lower() or "bf16"
    if choice not in PRECISIONS:
        raise BadPrecision(f"{PRECISION} is {choice!r:.20}: use {', '.join(PRECISIONS)}.")
    return choice


class CudaExecutor(Executor):
    """A program on a GPU (or, in lower precision, on any device)."""

    name = "gpu"

    def __init__(self, program: Program, device: torch.device, choice: str | None = None) -> None:
        choice = choice or precision()
        self._program = program
        self._tape = TapeExecutor(converted(program, PRECISIONS[choice]))
        self._graphs = CudaGraphs(self._tape, CudaRecorder()) if device.type == "cuda" else None
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = choice == "tf32"
            torch.backends.cudnn.allow_tf32 = choice == "tf32"
            torch.backends.cudnn.benchmark = True  # few shapes, many passes: the best is worth it

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> Pass:
        """See Executor.run; maps and gradient have the number format of `x`."""
        if self._graphs is not None and outputs is not None and inputs_kept is not None:
            return self._graphs.run(x, tuple(outputs), inputs_kept)
        return _CastPass(self._tape.run(x, outputs, inputs_kept), x.dtype)

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        """See Executor.infer."""
        return tuple(cells.to(x.dtype) for cells in self._tape.infer(x, outputs))

    def bytes_per_pixel(self, sample: int) -> float:
        """See Executor.bytes_per_pixel; as if the numbers were not converted."""
        return bytes_per_pixel(self._program, sample) * TORCH_OVERHEAD


class _CastPass:
    """A pass whose maps and gradient have another number format than its steps."""

    def __init__(self, inner: Pass, dtype: torch.dtype) -> None:
        self._inner, self._dtype = inner, dtype
        self._narrow = inner.maps[0].dtype
        self.maps = tuple(cells.to(dtype) for cells in inner.maps)

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        # In proportion to the largest: float16 has no room for what is very small.
        largest = torch.stack([s.abs().amax() for s in grads if s.numel()]).amax()
        largest = torch.where(largest > 0, largest.log2().floor().exp2(), 1.0)  # rounds nothing
        gradient = self._inner.backward([(s / largest).to(self._narrow) for s in grads])
        return gradient.to(self._dtype).mul_(largest)


def converted(program: Program, dtype: torch.dtype) -> Program:
    """The program in another number format, but for its first step.

    What a picture differs from the mean by would be lost in bfloat16 before it is subtracted.
    """
    first, *others = program.steps
    if first.inputs != (0,) or not isinstance(first, Normalise):
        raise ValueError("A program begins with a picture's normalisation.")
    behind = -first.output  # a number that no other value has

    def numbers(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, Tensor) else value

    normal = replace(first, output=behind)
    cast = Cast((behind,), first.output, first.mean.dtype, dtype)
    rest = (replace(s, **{name: numbers(v) for name, v in vars(s).items()}) for s in others)
    return Program((normal, cast, *rest), program.outputs)


class GraphRecorder(Protocol):
    """What records launches and replays them."""

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Record what `work` launches; returns what replays it, and what `work` gave."""


class CudaRecorder:
    """CUDA's graphs. All share one pool of memory: no two are replayed at once."""

    def __init__(self) -> None:
        self._pool: Any = None

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            given = work()
        self._pool = graph.pool()
        return graph.replay, given


class CudaGraphs:
    """The passes of a tape, recorded once for each shape of tile."""

    def __init__(self, tape: TapeExecutor, recorder: GraphRecorder) -> None:
        self._tape, self._recorder = tape, recorder
        self._recorded: dict[object, _RecordedPass] = {}

    def run(self, x: Tensor, outputs: tuple[Box, ...], inputs_kept: Box) -> Pass:
        """A pass; the one before must have been pulled back or given up."""
        key = (tuple(x.shape), x.dtype, outputs, inputs_kept)
        found = self._recorded.pop(key, None)
        if found is None:
            while len(self._recorded) >= GRAPHS:
                del self._recorded[next(iter(self._recorded))]
            found = _RecordedPass(self._tape, self._recorder, x, outputs, inputs_kept)
        self._recorded[key] = found  # the last used is the last to be forgotten
        return found.replayed(x)


class _RecordedPass:
    """The graphs of one shape of tile, and the tensors that they read and write."""

    def __init__(
        self,
        tape: TapeExecutor,
        recorder: GraphRecorder,
        x: Tensor,
        outputs: tuple[Box, ...],
        inputs_kept: Box,
    ) -> None:
        # Once without a graph: libraries choose their algorithms, and turned weights are made.
        first = _CastPass(tape.run(x, outputs, inputs_kept), x.dtype)
        first.backward([torch.zeros_like(cells) for cells in first.maps])
        self._x = x.clone()
        self._forth, found = recorder.record(
            lambda: _CastPass(tape.run(self._x, outputs, inputs_kept), x.dtype)
        )
        self.maps: tuple[Tensor, ...] = found.maps
        self._slopes = [torch.zeros_like(cells) for cells in self.maps]
        self._back, self._gradient = recorder.record(lambda: found.backward(self._slopes))

    def replayed(self, x: Tensor) -> _RecordedPass:
        """Run the graph over another crop of that shape."""
        self._x.copy_(x)
        self._forth()
        return self

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        for own, grad in zip(self._slopes, grads, strict=True):
            own.copy_(grad)
        self._back()
        gradient: Tensor = self._gradient
        return gradient.clone()
