"""Networks on a graphics card: 16-bit numbers, and work that is recorded once and replayed.

The steps are those of a tape, in a number format that `precision.py` chooses. A pass consists of
some hundred small kernels. For each shape of tile they are recorded as two CUDA graphs, forward and
backward; where a step of a dream is one piece of work, all of it is recorded as one graph
(`record_step`). Other kinds of cards run the same work unrecorded.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Hashable, Iterator, Sequence

import torch
from torch import Tensor

from dreamlayer.networks.executors.base import Executor, Pass, area
from dreamlayer.networks.executors.cuda.flags import settings_of
from dreamlayer.networks.executors.cuda.graphs import CudaRecorder, GraphRecorder, RecordedWork
from dreamlayer.networks.executors.cuda.precision import (
    FIRST,
    PRECISIONS,
    WIDER,
    CastPass,
    converted,
    demanded,
)
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.program.lowering import Program

log = logging.getLogger(__name__)

REPLAY_SECONDS = 0.25  # for one graph: meanwhile a card shows nothing, and Windows waits 2 s for it
UNTIMED_AREA = 1 << 20  # pixels of a crop whose time is not known


class CudaExecutor(Executor):
    """A program on a card (or, in lower precision, on any device).

    Args:
        choice: the precision; None: the environment's, or float16 until a number overflows.
        recorder: records work; None: CUDA's on such a device.

    Attributes:
        precision: in which it computes now.
    """

    name = "gpu"

    def __init__(
        self,
        program: Program,
        device: torch.device,
        choice: str | None = None,
        recorder: GraphRecorder | None = None,
    ) -> None:
        choice = choice or demanded()
        self._program = program
        self._wider = () if choice else WIDER
        self._use(choice or FIRST)
        if recorder is None and device.type == "cuda":
            recorder = CudaRecorder()
        self._work = RecordedWork(recorder) if recorder else None
        self._recording = False  # or running a step that is to be recorded
        self._checked: set[Hashable] = set()  # shapes whose numbers did not overflow

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> Pass:
        """See Executor.run; maps and gradient have the number format of `x`."""
        key = (tuple(x.shape), x.dtype, None if outputs is None else tuple(outputs), inputs_kept)
        if self._wider and key not in self._checked:
            self._checked.add(key)
            return self._checked_run(x, outputs, inputs_kept)
        if self._work and not self._recording:
            work = self._work
            recorded = work.get(
                ("pass", key),
                lambda recorder: _RecordedPass(self.plain_run, work, recorder, x, key),
            )
            if recorded is not None:
                return recorded.replayed(x)
        return self.plain_run(x, outputs, inputs_kept)

    def plain_run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> Pass:
        """Like `run`, unrecorded and unchecked."""
        with settings_of(self.precision):
            inner = CastPass(self._tape.run(x, outputs, inputs_kept), x.dtype)
        return _SettledPass(inner, self.precision)

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        """See Executor.infer."""
        with settings_of(self.precision):
            return tuple(cells.to(x.dtype) for cells in self._tape.infer(x, outputs))

    def run_step(self, key: Hashable, work: Callable[[], None], pixels: int) -> None:
        """See Executor.run_step."""
        with self._within_step():
            recorded = None
            if self._work:
                recorded = self._work.get(("step", key), lambda recorder: recorder.record(work)[0])
            if self._work and recorded is not None:
                self._work.replay(recorded, pixels)
            else:
                work()

    def forget_steps(self) -> None:
        """See Executor.forget_steps."""
        if self._work:
            self._work.drop(lambda key: isinstance(key, tuple) and key[0] == "step")

    def largest_area(self) -> float:
        """See Executor.largest_area."""
        if not self._work:
            return math.inf
        seconds = self._work.seconds_per_pixel
        return UNTIMED_AREA if seconds is None else REPLAY_SECONDS / seconds

    def release(self) -> None:
        """See Executor.release."""
        if self._work:
            self._work.clear()

    @property
    def bytes_per_pixel(self) -> float:
        """See Executor.bytes_per_pixel."""
        return self._tape.bytes_per_pixel

    def _use(self, precision: str) -> None:
        self.precision, dtype = precision, PRECISIONS[precision]
        self._tape = TapeExecutor(converted(self._program, dtype), gradients=dtype)

    def _widen(self) -> None:
        """Compute in a format with larger numbers from now on."""
        for precision in self._wider:
            try:
                self._use(precision)
            except (RuntimeError, TypeError):  # a card without bfloat16
                continue
            break
        log.info("numbers are too large for %s: %s from now on", FIRST, self.precision)
        self._wider = ()
        self.release()

    def _checked_run(
        self, x: Tensor, outputs: Sequence[Box] | None, inputs_kept: Box | None
    ) -> Pass:
        """A pass whose maps are finite, in a wider format if need be, and so will the gradient."""
        computed = self.plain_run(x, outputs, inputs_kept)
        if not _finite(computed.maps):
            self._widen()
            return self.plain_run(x, outputs, inputs_kept)

        def again(grads: Sequence[Tensor]) -> Tensor:
            self._widen()
            return self.plain_run(x, outputs, inputs_kept).backward(grads)

        return _CheckedPass(computed, again)

    @contextlib.contextmanager
    def _within_step(self) -> Iterator[None]:
        self._recording = True
        try:
            yield
        finally:
            self._recording = False


class _SettledPass:
    """A pass that runs backward with the same settings as forward."""

    def __init__(self, inner: Pass, precision: str) -> None:
        self._inner, self._precision = inner, precision
        self.maps = inner.maps

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        with settings_of(self._precision):
            return self._inner.backward(grads)


class _CheckedPass:
    """A pass that is done `again` if its gradient overflows."""

    def __init__(self, inner: Pass, again: Callable[[Sequence[Tensor]], Tensor]) -> None:
        self._inner, self._again = inner, again
        self.maps = inner.maps

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        gradient = self._inner.backward(grads)
        return gradient if _finite([gradient]) or not _finite(grads) else self._again(grads)


class _RecordedPass:
    """The graphs of one shape of tile, and the tensors that they read and write."""

    def __init__(
        self,
        run: Callable[..., Pass],
        work: RecordedWork,
        recorder: GraphRecorder,
        x: Tensor,
        key: tuple[object, torch.dtype, tuple[Box, ...] | None, Box | None],
    ) -> None:
        self._work, self._area = work, area(x)
        self._x = x.clone()
        self._forward, recorded = recorder.record(lambda: run(self._x, *key[2:]))
        self.maps: tuple[Tensor, ...] = recorded.maps
        self._grads = [torch.zeros_like(cells) for cells in self.maps]
        self._backward, self._gradient = recorder.record(lambda: recorded.backward(self._grads))

    def replayed(self, x: Tensor) -> _RecordedPass:
        """Run the forward graph over another crop of the same shape."""
        self._x.copy_(x)
        self._work.replay(self._forward, self._area)
        return self

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """See Pass.backward."""
        for own, grad in zip(self._grads, grads, strict=True):
            own.copy_(grad)
        self._backward()
        gradient: Tensor = self._gradient
        return gradient.clone()


def _finite(tensors: Sequence[Tensor]) -> bool:
    """Whether all numbers are finite; waits for the device once."""
    return bool(torch.stack([torch.isfinite(numbers).all() for numbers in tensors]).all())
