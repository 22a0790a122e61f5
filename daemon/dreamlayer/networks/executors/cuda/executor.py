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

from dreamlayer.networks.executors.base import Pass
from dreamlayer.networks.executors.tape.executor import Tape
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.steps import Cast, Normalise

PRECISION = "DREAMLAYER_PRECISION"  # environment
PRECISIONS = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "tf32": torch.float32,
    "fp32": torch.float32,
}
GRAPHS = 24  # tile shapes whose graphs are kept; each holds its memory
SHARE = 0.7  # of the free memory that tiles are planned for


class BadPrecision(ValueError):
    """There is no such precision; the message is a sentence for the user."""


def precision() -> str:
    """The precision asked for, bf16 if none was."""
    wanted = os.environ.get(PRECISION, "").strip().lower() or "bf16"
    if wanted not in PRECISIONS:
        raise BadPrecision(f"{PRECISION} is {wanted!r:.20}: use {', '.join(PRECISIONS)}.")
    return wanted


def room(device: torch.device) -> float:
    """Bytes that the passes over tiles may take."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] * SHARE
    return float(torch.mps.recommended_max_memory()) * SHARE / 2


def sent(x: Tensor, device: torch.device) -> Tensor:
    """Pixels on a device; a card fetches them by itself, while other work goes on."""
    if x.device.type == device.type:
        return x
    if device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


class Card:
    """A program on a graphics card (or, in lower precision, anywhere)."""

    def __init__(self, program: Program, device: torch.device, wanted: str | None = None) -> None:
        wanted = wanted or precision()
        self._tape = Tape(converted(program, PRECISIONS[wanted]))
        self._graphs = Graphs(self._tape, Cuda()) if device.type == "cuda" else None
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = wanted == "tf32"
            torch.backends.cudnn.allow_tf32 = wanted == "tf32"
            torch.backends.cudnn.benchmark = True  # few shapes, many passes: the best is worth it

    def run(self, x: Tensor, wanted: Sequence[Box] | None = None, keep: Box | None = None) -> Pass:
        """Run the program over a crop; see Network.run. Maps and gradient are as `x` is."""
        if self._graphs is not None and wanted is not None and keep is not None:
            return self._graphs.run(x, tuple(wanted), keep)
        return _Widened(self._tape.run(x, wanted, keep), x.dtype)

    def look(self, x: Tensor, wanted: Sequence[Box]) -> tuple[Tensor, ...]:
        """The wanted cells of the maps."""
        return tuple(cells.to(x.dtype) for cells in self._tape.look(x, wanted))


class _Widened:
    """A pass whose maps and gradient have another number format than its steps."""

    def __init__(self, inner: Pass, dtype: torch.dtype) -> None:
        self._inner, self._dtype = inner, dtype
        self._narrow = inner.maps[0].dtype
        self.maps = tuple(cells.to(dtype) for cells in inner.maps)

    def pull_back(self, slopes: Sequence[Tensor]) -> Tensor:
        """See models.passes.Pass."""
        # In proportion to the largest: float16 has no room for what is very small.
        largest = torch.stack([s.abs().amax() for s in slopes if s.numel()]).amax()
        largest = torch.where(largest > 0, largest.log2().floor().exp2(), 1.0)  # rounds nothing
        gradient = self._inner.pull_back([(s / largest).to(self._narrow) for s in slopes])
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


class Recorder(Protocol):
    """What records launches and replays them."""

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Record what `work` launches; returns what replays it, and what `work` gave."""


class Cuda:
    """CUDA's graphs. All share one pool of memory: no two are replayed at once."""

    def __init__(self) -> None:
        self._pool: Any = None

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            given = work()
        self._pool = graph.pool()
        return graph.replay, given


class Graphs:
    """The passes of a tape, recorded once for each shape of tile."""

    def __init__(self, tape: Tape, recorder: Recorder) -> None:
        self._tape, self._recorder = tape, recorder
        self._recorded: dict[object, _Recorded] = {}

    def run(self, x: Tensor, wanted: tuple[Box, ...], keep: Box) -> Pass:
        """A pass; the one before must have been pulled back or given up."""
        key = (tuple(x.shape), x.dtype, wanted, keep)
        found = self._recorded.pop(key, None)
        if found is None:
            while len(self._recorded) >= GRAPHS:
                del self._recorded[next(iter(self._recorded))]
            found = _Recorded(self._tape, self._recorder, x, wanted, keep)
        self._recorded[key] = found  # the last used is the last to be forgotten
        return found.replayed(x)


class _Recorded:
    """The graphs of one shape of tile, and the tensors that they read and write."""

    def __init__(
        self, tape: Tape, recorder: Recorder, x: Tensor, wanted: tuple[Box, ...], keep: Box
    ) -> None:
        # Once without a graph: libraries choose their algorithms, and turned weights are made.
        first = _Widened(tape.run(x, wanted, keep), x.dtype)
        first.pull_back([torch.zeros_like(cells) for cells in first.maps])
        self._x = x.clone()
        self._forth, found = recorder.record(
            lambda: _Widened(tape.run(self._x, wanted, keep), x.dtype)
        )
        self.maps: tuple[Tensor, ...] = found.maps
        self._slopes = [torch.zeros_like(cells) for cells in self.maps]
        self._back, self._gradient = recorder.record(lambda: found.pull_back(self._slopes))

    def replayed(self, x: Tensor) -> _Recorded:
        """Run the graph over another crop of that shape."""
        self._x.copy_(x)
        self._forth()
        return self

    def pull_back(self, slopes: Sequence[Tensor]) -> Tensor:
        """See models.passes.Pass."""
        for own, slope in zip(self._slopes, slopes, strict=True):
            own.copy_(slope)
        self._back()
        gradient: Tensor = self._gradient
        return gradient.clone()
