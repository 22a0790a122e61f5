"""Networks on a GPU: bfloat16, one CUDA graph for each shape of tile.

The steps are those of a tape. They compute in bfloat16 by default, which GPUs do many times as
fast; picture, detail and gradient stay float32. The environment variable DREAMLAYER_PRECISION
chooses `fp16` (as fast and more exact, but values beyond 65504 overflow), `tf32` (float32,
multiplied with 10 bits) or `fp32` instead.

A pass consists of some hundred small GPU kernels. For each shape of tile they are recorded once as
two graphs, forward and backward, and then replayed without Python and without single launches.
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
GRAPHS = 24  # tile shapes whose graphs are kept; each has memory of its own


class BadPrecision(ValueError):
    """Unknown precision; the message is a sentence for the user."""


def precision() -> str:
    """Return the precision that the environment requests, by default bf16."""
    choice = os.environ.get(PRECISION, "").strip().lower() or "bf16"
    if choice not in PRECISIONS:
        raise BadPrecision(f"{PRECISION} is {choice!r:.20}: use {', '.join(PRECISIONS)}.")
    return choice


class CudaExecutor(Executor):
    """A program on a GPU (or, in lower precision, on any device)."""

    name = "gpu"

    def __init__(self, program: Program, device: torch.device, choice: str | None = None) -> None:
        choice = choice or precision()
        self._bytes_per_pixel = bytes_per_pixel(program) * TORCH_OVERHEAD
        self._tape = TapeExecutor(converted(program, PRECISIONS[choice]))
        self._graphs = CudaGraphs(self._tape, CudaRecorder()) if device.type == "cuda" else None
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = choice == "tf32"
            torch.backends.cudnn.allow_tf32 = choice == "tf32"
            torch.backends.cudnn.benchmark = (
                True  # few shapes, many passes: measuring algorithms pays off
            )

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

    @property
    def bytes_per_pixel(self) -> float:
        """See Executor.bytes_per_pixel; estimated for the unconverted program."""
        return self._bytes_per_pixel


class _CastPass:
    """A pass with maps and gradient in another number format than its steps."""

    def __init__(self, inner: Pass, dtype: torch.dtype) -> None:
        self._inner, self._dtype = inner, dtype
        self._narrow = inner.maps[0].dtype
        self.maps = tuple(cells.to(dtype) for cells in inner.maps)

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        # Scale by the largest: float16 cannot represent very small gradients.
        largest = torch.stack([grad.abs().amax() for grad in grads if grad.numel()]).amax()
        largest = torch.where(largest > 0, largest.log2().floor().exp2(), 1.0)  # powers of 2: exact
        gradient = self._inner.backward([(grad / largest).to(self._narrow) for grad in grads])
        return gradient.to(self._dtype).mul_(largest)


def converted(program: Program, dtype: torch.dtype) -> Program:
    """Return the program in another number format, except for its first step.

    Rounding a picture to bfloat16 before the mean is subtracted would lose small differences.
    """
    first, *others = program.steps
    if first.inputs != (0,) or not isinstance(first, Normalise):
        raise ValueError("The first step of a program has to be the normalisation of the picture.")
    normalised = -first.output  # a number that no other value has

    def convert(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, Tensor) else value

    normal = replace(first, output=normalised)
    cast = Cast((normalised,), first.output, first.mean.dtype, dtype)
    rest = (
        replace(step, **{name: convert(value) for name, value in vars(step).items()})
        for step in others
    )
    return Program((normal, cast, *rest), program.outputs)


class GraphRecorder(Protocol):
    """Records GPU launches and replays them."""

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Record the launches of `work`; returns a function to replay them, and work's result."""


class CudaRecorder:
    """Records CUDA graphs. All share one memory pool: no two may be replayed at once."""

    def __init__(self) -> None:
        self._pool: Any = None

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            result = work()
        self._pool = graph.pool()
        return graph.replay, result


class CudaGraphs:
    """The passes of a tape, recorded once for each shape of tile."""

    def __init__(self, tape: TapeExecutor, recorder: GraphRecorder) -> None:
        self._tape, self._recorder = tape, recorder
        self._recorded: dict[object, _RecordedPass] = {}

    def run(self, x: Tensor, outputs: tuple[Box, ...], inputs_kept: Box) -> Pass:
        """Return a pass; the previous one must not be used any more."""
        key = (tuple(x.shape), x.dtype, outputs, inputs_kept)
        recorded = self._recorded.pop(key, None)
        if recorded is None:
            while len(self._recorded) >= GRAPHS:
                del self._recorded[next(iter(self._recorded))]
            recorded = _RecordedPass(self._tape, self._recorder, x, outputs, inputs_kept)
        self._recorded[key] = recorded  # moved to the end: the least recently used is first
        return recorded.replayed(x)


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
        # Once without a graph: libraries choose their algorithms, and weights are transformed.
        first = _CastPass(tape.run(x, outputs, inputs_kept), x.dtype)
        first.backward([torch.zeros_like(cells) for cells in first.maps])
        self._x = x.clone()
        self._forward, recorded = recorder.record(
            lambda: _CastPass(tape.run(self._x, outputs, inputs_kept), x.dtype)
        )
        self.maps: tuple[Tensor, ...] = recorded.maps
        self._grads = [torch.zeros_like(cells) for cells in self.maps]
        self._backward, self._gradient = recorder.record(lambda: recorded.backward(self._grads))

    def replayed(self, x: Tensor) -> _RecordedPass:
        """Run the forward graph over another crop of the same shape."""
        self._x.copy_(x)
        self._forward()
        return self

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        for own, grad in zip(self._grads, grads, strict=True):
            own.copy_(grad)
        self._backward()
        gradient: Tensor = self._gradient
        return gradient.clone()
