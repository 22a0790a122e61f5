"""What a tape does for each kind of step: forward, and back from the grad of its output.

Every value is a tensor of just the cells that `Run.forward_region` names, every grad of those that
`Run.backward_region` names. A grad belongs to the step that it is given to, which may change it.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.networks.executors.base import cut_out
from dreamlayer.networks.program import convolution
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.program.passes import Join
from dreamlayer.networks.program.regions import reach
from dreamlayer.networks.program.steps import (
    Add,
    Affine,
    AvgPool,
    Cast,
    Conv,
    MaxPool,
    Normalise,
    Pad,
    Relu,
    Step,
)

MANY = 1.5  # times as many choices of a max pool as are needed: not worth to be kept
LARGE = 5 * 2**24  # bytes; larger results of a ReLU are kept as masks: a quarter, but it takes time

Edges = tuple[int, int, int, int]  # cells beyond a map: left, right, above, below


class TapeRun(Protocol):
    """A tape's run over a crop."""

    backwards: bool  # whether there will be a way back

    def forward_region(self, value: int) -> Box: ...

    def backward_region(self, value: int) -> Box: ...

    def shape(self, value: int) -> tuple[int, int]:
        """The rows and columns of a value, were it computed from the whole crop."""

    def alone(self, value: int) -> bool:
        """Whether a value may be written over: nothing else reads it."""

    def turned(self, step: Conv) -> Tensor: ...


class TapeOperation(Protocol):
    """`kept` is what `forward` gives `backward`."""

    def forward(self, run: TapeRun, step: Any, inputs: list[Tensor]) -> tuple[Tensor, Any]: ...

    def backward(self, run: TapeRun, step: Any, grad: Tensor, kept: Any) -> list[Tensor]: ...


class _Normalise:
    def forward(self, run: TapeRun, step: Normalise, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        planes = (inputs[0] - step.mean).div_(step.std)
        found = torch.empty_like(planes, memory_format=torch.channels_last)
        for channel in range(planes.shape[1]):  # several times as fast as all at once
            found[:, channel] = planes[:, channel]
        return found, None

    def backward(self, run: TapeRun, step: Normalise, grad: Tensor, kept: Any) -> list[Tensor]:
        return [_fitted(run, step, 0, grad.div_(step.std))]


class _Cast:
    def forward(self, run: TapeRun, step: Cast, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        return inputs[0].to(step.behind), None

    def backward(self, run: TapeRun, step: Cast, grad: Tensor, kept: Any) -> list[Tensor]:
        return [_fitted(run, step, 0, grad.to(step.before))]


class _Affine:
    def forward(self, run: TapeRun, step: Affine, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        x = _part(run, step, 0, inputs[0])
        return torch.addcmul(step.shift[:, None, None], x, step.scale[:, None, None]), None

    def backward(self, run: TapeRun, step: Affine, grad: Tensor, kept: Any) -> list[Tensor]:
        return [_fitted(run, step, 0, grad.mul_(step.scale[:, None, None]))]


class _Conv:
    def forward(self, run: TapeRun, step: Conv, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        x, edges = _seen(run, step, run.forward_region(step.output), inputs[0])
        left, right, above, below = edges
        if (left, above) != (right, below):
            x, left, above = F.pad(x, edges), 0, 0
        how = (step.stride, (above, left), step.groups)
        return convolution.forward(x, step.weight, step.bias, *how), None

    def backward(self, run: TapeRun, step: Conv, grad: Tensor, kept: Any) -> list[Tensor]:
        given, wanted = run.backward_region(step.output), run.backward_region(step.inputs[0])
        how = (step.stride, step.padding, step.groups)
        return [convolution.convolve_back(grad, run.turned(step), *how, given, wanted)]


class _Relu:
    def forward(self, run: TapeRun, step: Relu, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        x = _part(run, step, 0, inputs[0])
        found = x if run.alone(step.inputs[0]) else torch.empty_like(x)
        torch.clamp(x, 0, step.most, out=found)
        return found, _open(run, step, found, step.most)

    def backward(self, run: TapeRun, step: Relu, grad: Tensor, kept: Any) -> list[Tensor]:
        return [_fitted(run, step, 0, _let_through(grad, kept))]


class _Join:
    def forward(self, run: TapeRun, step: Join, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        parts = [_part(run, step, k, x) for k, x in enumerate(inputs)]
        first, channels = parts[0], sum(part.shape[1] for part in parts)
        found = torch.empty(
            (1, channels, *first.shape[2:]),
            dtype=first.dtype,
            device=first.device,
            memory_format=torch.channels_last,
        )
        sizes = [part.shape[1] for part in parts]
        for relu, part, place in zip(step.relus, parts, torch.split(found, sizes, 1), strict=True):
            if relu:
                torch.clamp(part, 0, step.most, out=place)
            else:
                place.copy_(part)
        return found, (sizes, _open(run, step, found, step.most) if any(step.relus) else None)

    def backward(self, run: TapeRun, step: Join, grad: Tensor, kept: Any) -> list[Tensor]:
        sizes, gate = kept
        found = []
        shares = zip(torch.split(grad, sizes, 1), step.relus, strict=True)
        gates = torch.split(grad if gate is None else gate, sizes, 1)  # of no ReLU, none is read
        for number, ((share, relu), opened) in enumerate(zip(shares, gates, strict=True)):
            through = _let_through(share, opened) if relu else share
            found.append(_fitted(run, step, number, through))
        return found


class _MaxPool:
    def forward(self, run: TapeRun, step: MaxPool, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        wanted, needed = run.forward_region(step.output), run.backward_region(step.output)
        found, chosen = self._pool(run, step, wanted, inputs[0])
        if run.backwards and 0 < MANY * _area(needed) < _area(wanted):
            # The choices take twice the room of the maxima: few of them are looked up once more.
            del chosen
            chosen, wanted = self._pool(run, step, needed, inputs[0])[1], needed
        return found, (chosen, wanted)

    def backward(self, run: TapeRun, step: MaxPool, grad: Tensor, kept: Any) -> list[Tensor]:
        (indices, how, frame), cells = kept
        grad = fit(grad, run.backward_region(step.output), cells)
        (top, bottom), (left, right) = frame
        strips = len(indices)
        size = (strips, grad.shape[1], (bottom - top) // strips, right - left)
        whole = torch.empty(  # only its shape and layout matter: its memory is never touched
            size, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last
        )
        dense = _in_strips(grad, strips)
        back = torch.ops.aten.max_pool2d_with_indices_backward(dense, whole, *how, indices)
        return [fit(_in_strips(back, 1), frame, run.backward_region(step.inputs[0]))]

    @staticmethod
    def _pool(run: TapeRun, step: MaxPool, wanted: Box, x: Tensor) -> tuple[Tensor, Any]:
        """The maxima of some cells, and what tells where they were."""
        seen, edges = _seen(run, step, wanted, x)
        left, right, above, below = edges
        padding, ceil = (above, left), False
        frame = _frame(run, step, wanted, inside=True)
        if (left, above) != (right, below):
            # A window that hangs over at the end alone is what torch calls ceil_mode.
            ceil = (left, above) == (0, 0) and right < step.stride[1] and below < step.stride[0]
            padding = (0, 0)
            if not ceil:
                seen = F.pad(seen, edges, value=float("-inf"))
                frame = _frame(run, step, wanted, inside=False)
        how = (list(step.kernel), list(step.stride), list(padding), [1, 1], ceil)
        apart = step.kernel == step.stride and padding == (0, 0) and not ceil
        # Torch's way back is one thread's for each map: of windows that share no cell, each row is
        # a map of its own.
        strips = seen.shape[2] // step.kernel[0] if apart and seen.device.type == "cpu" else 1
        dense = _in_strips(seen, strips)
        found, indices = torch.ops.aten.max_pool2d_with_indices(dense, *how)
        return _in_strips(found, 1), (indices, how, frame)


class _AvgPool:
    def forward(self, run: TapeRun, step: AvgPool, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        wanted = run.forward_region(step.output)
        x, edges = _seen(run, step, wanted, inputs[0])
        sums = F.avg_pool2d(F.pad(x, edges), step.kernel, step.stride, divisor_override=1)
        return sums.div_(self._counts(run, step, wanted, x)), None

    def backward(self, run: TapeRun, step: AvgPool, grad: Tensor, kept: Any) -> list[Tensor]:
        given = run.backward_region(step.output)
        grad = grad.div_(self._counts(run, step, given, grad))
        frame = _frame(run, step, given, inside=False)
        (top, bottom), (left, right) = frame
        whole = grad.new_empty(1, grad.shape[1], bottom - top, right - left)
        how = (list(step.kernel), list(step.stride), [0, 0], False, True, 1)
        dense = grad.contiguous(memory_format=torch.channels_last)
        whole = whole.contiguous(memory_format=torch.channels_last)
        back = torch.ops.aten.avg_pool2d_backward(dense, whole, *how)
        return [fit(back, frame, run.backward_region(step.inputs[0]))]

    @staticmethod
    def _counts(run: TapeRun, step: AvgPool, cells: Box, like: Tensor) -> Tensor:
        """How many cells count in each window, (rows, columns)."""
        counts = []
        for axis, (start, stop) in enumerate(cells):
            length, reached = run.shape(step.inputs[0])[axis], reach(step, axis)
            beyond = reached.padding if step.count_padding else 0
            cells_here = torch.arange(start, stop, device=like.device)
            first = cells_here * reached.stride - reached.padding
            last = (first + reached.kernel).clamp(max=length + beyond)
            counts.append(last - first.clamp(min=-beyond))
        return (counts[0][:, None] * counts[1]).to(like)


class _Pad:
    def forward(self, run: TapeRun, step: Pad, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        x, edges = _seen(run, step, run.forward_region(step.output), inputs[0])
        return F.pad(x, edges), None

    def backward(self, run: TapeRun, step: Pad, grad: Tensor, kept: Any) -> list[Tensor]:
        given = _frame(run, step, run.backward_region(step.output), inside=False)
        return [fit(grad, given, run.backward_region(step.inputs[0]))]


class _Add:
    def forward(self, run: TapeRun, step: Add, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        one, other = (_part(run, step, k, x) for k, x in enumerate(inputs))
        return one + other, None

    def backward(self, run: TapeRun, step: Add, grad: Tensor, kept: Any) -> list[Tensor]:
        return [_fitted(run, step, 0, grad), _fitted(run, step, 1, grad.clone())]


OPERATIONS: dict[type[Step], TapeOperation] = {
    Normalise: _Normalise(),
    Cast: _Cast(),
    Affine: _Affine(),
    Conv: _Conv(),
    Relu: _Relu(),
    Join: _Join(),
    MaxPool: _MaxPool(),
    AvgPool: _AvgPool(),
    Pad: _Pad(),
    Add: _Add(),
}


def _in_strips(x: Tensor, count: int) -> Tensor:
    """The rows of maps (n, C, h, w) as those of `count` maps, channels last; copied if need be."""
    dense = x.contiguous(memory_format=torch.channels_last)
    rows, (_, channels, _, width) = x.shape[0] * x.shape[2], x.shape
    cells = dense.permute(0, 2, 3, 1).reshape(count, rows // count, width, channels)
    return cells.permute(0, 3, 1, 2)


def _area(box: Box) -> int:
    (top, bottom), (left, right) = box
    return (bottom - top) * (right - left)


def _within(box: Box, frame: Box) -> Box:
    """A box as seen from the corner of a frame."""
    (top, bottom), (left, right) = box
    return (top - frame[0][0], bottom - frame[0][0]), (left - frame[1][0], right - frame[1][0])


def _part(run: TapeRun, step: Step, number: int, x: Tensor) -> Tensor:
    """The cells of an input that a step works on one by one."""
    frame, wanted = run.forward_region(step.inputs[number]), run.forward_region(step.output)
    return x if frame == wanted else cut_out(x, _within(wanted, frame))


def _frame(run: TapeRun, step: Step, cells: Box, inside: bool) -> Box:
    """The cells of the input that cells of the output see; all, or those `inside` the map."""
    spans = []
    for axis in (0, 1):
        start, stop = reach(step, axis).seen(cells[axis])
        if inside:
            start, stop = max(0, start), min(run.shape(step.inputs[0])[axis], stop)
        spans.append((start, stop))
    return spans[0], spans[1]


def _seen(run: TapeRun, step: Step, cells: Box, x: Tensor) -> tuple[Tensor, Edges]:
    """What cells of the output see of the input, and how far beyond its edges they see."""
    (top, bottom), (left, right) = _frame(run, step, cells, inside=True)
    (high, low), (near, far) = _frame(run, step, cells, inside=False)
    frame = run.forward_region(step.inputs[0])
    box = ((top, bottom), (left, right))
    seen = x if box == frame else cut_out(x, _within(box, frame))
    return seen, (left - near, far - right, top - high, low - bottom)


def _fitted(run: TapeRun, step: Step, number: int, grad: Tensor) -> Tensor:
    """The grad of an output as that of an input, cell for cell."""
    return fit(grad, run.backward_region(step.output), run.backward_region(step.inputs[number]))


def fit(grad: Tensor, given: Box, wanted: Box) -> Tensor:
    """A grad at the cells wanted, of one given at others: at the rest it is zero."""
    if given == wanted:
        return grad
    (top, bottom), (left, right) = _within(wanted, given)
    rows, columns = grad.shape[-2:]
    if min(top, left) < 0 or bottom > rows or right > columns:
        return F.pad(grad, (-left, right - columns, -top, bottom - rows))
    return cut_out(grad, ((top, bottom), (left, right)))


def _open(run: TapeRun, step: Step, found: Tensor, most: float | None) -> Tensor | None:
    """What tells where a ReLU, bounded by `most` if that is given, lets a grad through."""
    if not run.backwards:
        return None
    mine = cut_out(
        found, _within(run.backward_region(step.output), run.forward_region(step.output))
    )
    if most is not None:
        return (mine > 0) & (mine < most)
    return mine > 0 if mine.nbytes > LARGE else mine


def _let_through(grad: Tensor, opened: Tensor) -> Tensor:
    if opened.dtype == torch.bool:
        return grad.mul_(opened)
    if grad.is_contiguous(memory_format=torch.channels_last):
        through: Tensor = torch.ops.aten.threshold_backward.grad_input(
            grad, opened, 0, grad_input=grad
        )
        return through
    return torch.ops.aten.threshold_backward(grad, opened, 0)  # type: ignore[no-any-return]
