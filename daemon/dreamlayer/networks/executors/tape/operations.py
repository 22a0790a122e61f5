"""The forward and backward computation of each kind of step.

A value is a tensor of the cells `TapeRun.forward_region` only, a gradient of the cells
`TapeRun.backward_region`. A step owns the gradient that it is given, and may change it in place.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.geometry import Span
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

MANY = 1.5  # a max pool with this many times more choices than the gradient needs drops them
LARGE = 5 * 2**24  # bytes; larger results of a ReLU are kept as masks: a quarter, but slower

Edges = tuple[int, int, int, int]  # cells beyond a map: left, right, above, below


class TapeRun(Protocol):
    """The pass that a step belongs to."""

    backwards: bool  # whether there will be a backward pass
    gradients: torch.dtype | None  # their number format; None: that of the maps

    def forward_region(self, value: int) -> Box: ...

    def backward_region(self, value: int) -> Box: ...

    def shape(self, value: int) -> tuple[int, int]:
        """The rows and columns of a value computed from the whole crop."""

    def has_one_reader(self, value: int) -> bool:
        """Whether a value has one reader only, which may overwrite it."""

    def backward_weight(self, step: Conv) -> Tensor: ...


class TapeOperation(Protocol):
    """A kind of step; `kept` is what `forward` hands to `backward`."""

    def forward(self, run: TapeRun, step: Any, inputs: list[Tensor]) -> tuple[Tensor, Any]: ...

    def backward(self, run: TapeRun, step: Any, grad: Tensor, kept: Any) -> list[Tensor]: ...


class _Normalise:
    def forward(self, run: TapeRun, step: Normalise, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        planes = (inputs[0] - step.mean).div_(step.std)
        if planes.device.type != "cpu":
            return planes.contiguous(memory_format=torch.channels_last), None
        result = torch.empty_like(planes, memory_format=torch.channels_last)
        for channel in range(planes.shape[1]):  # several times as fast as all at once
            result[:, channel] = planes[:, channel]
        return result, None

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
        output_box, input_box = (
            run.backward_region(step.output),
            run.backward_region(step.inputs[0]),
        )
        how = (step.stride, step.padding, step.groups)
        return [
            convolution.convolve_backward(
                grad, run.backward_weight(step), *how, output_box, input_box
            )
        ]


class _Relu:
    def forward(self, run: TapeRun, step: Relu, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        x = _part(run, step, 0, inputs[0])
        own = run.has_one_reader(step.inputs[0])
        if x.device.type == "cpu":
            result = x if own else torch.empty_like(x)
            torch.clamp(x, 0, step.most, out=result)
        else:  # MPS does not write all of what is part of another tensor
            dense = x.is_contiguous(memory_format=torch.channels_last)
            result = x.clamp_(0, step.most) if own and dense else x.clamp(0, step.most)
        return result, _gate(run, step, result, step.most)

    def backward(self, run: TapeRun, step: Relu, grad: Tensor, kept: Any) -> list[Tensor]:
        return [_fitted(run, step, 0, _through_gate(grad, kept))]


class _Join:
    def forward(self, run: TapeRun, step: Join, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        parts = [_part(run, step, k, x) for k, x in enumerate(inputs)]
        if parts[0].device.type != "cpu":
            result = _joined_on_card(step, parts)
            sizes = [part.shape[1] for part in parts]
            gate = _gate(run, step, result, step.most) if any(step.relus) else None
            return result, (sizes, gate)
        first, channels = parts[0], sum(part.shape[1] for part in parts)
        result = torch.empty(
            (1, channels, *first.shape[2:]),
            dtype=first.dtype,
            device=first.device,
            memory_format=torch.channels_last,
        )
        sizes = [part.shape[1] for part in parts]
        for relu, part, place in zip(step.relus, parts, torch.split(result, sizes, 1), strict=True):
            if relu:
                torch.clamp(part, 0, step.most, out=place)
            else:
                place.copy_(part)
        return result, (sizes, _gate(run, step, result, step.most) if any(step.relus) else None)

    def backward(self, run: TapeRun, step: Join, grad: Tensor, kept: Any) -> list[Tensor]:
        sizes, gate = kept
        input_grads = []
        shares = zip(torch.split(grad, sizes, 1), step.relus, strict=True)
        gates = torch.split(grad if gate is None else gate, sizes, 1)  # none is read without ReLUs
        for number, ((share, relu), own_gate) in enumerate(zip(shares, gates, strict=True)):
            passed = _through_gate(share, own_gate) if relu else share
            input_grads.append(_fitted(run, step, number, passed))
        return input_grads


class _MaxPool:
    def forward(self, run: TapeRun, step: MaxPool, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        cells, needed = run.forward_region(step.output), run.backward_region(step.output)
        result, chosen = self._pool(run, step, cells, inputs[0])
        if run.backwards and 0 < MANY * _area(needed) < _area(cells):
            # Choices take twice the memory of the maxima: find the few that are needed once more.
            del chosen
            chosen, cells = self._pool(run, step, needed, inputs[0])[1], needed
        return result, (chosen, cells)

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
    def _pool(run: TapeRun, step: MaxPool, cells: Box, x: Tensor) -> tuple[Tensor, Any]:
        """The maxima of some cells, and the state that tells where they were."""
        seen, edges = _seen(run, step, cells, x)
        left, right, above, below = edges
        padding, ceil = (above, left), False
        frame = _frame(run, step, cells, inside=True)
        if (left, above) != (right, below):
            # Windows that extend over the end only are what torch calls ceil_mode.
            ceil = (left, above) == (0, 0) and right < step.stride[1] and below < step.stride[0]
            padding = (0, 0)
            if not ceil:
                seen = F.pad(seen, edges, value=float("-inf"))
                frame = _frame(run, step, cells, inside=False)
        how = (list(step.kernel), list(step.stride), list(padding), [1, 1], ceil)
        apart = step.kernel == step.stride and padding == (0, 0) and not ceil
        # Torch computes the gradient of each map with one thread. Where windows share no cell, each
        # row of windows is passed as a map of its own.
        strips = seen.shape[2] // step.kernel[0] if apart and seen.device.type == "cpu" else 1
        dense = _in_strips(seen, strips)
        result, indices = torch.ops.aten.max_pool2d_with_indices(dense, *how)
        return _in_strips(result, 1), (indices, how, frame)


class _AvgPool:
    def forward(self, run: TapeRun, step: AvgPool, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        cells = run.forward_region(step.output)
        x, edges = _seen(run, step, cells, inputs[0])
        sums = F.avg_pool2d(F.pad(x, edges), step.kernel, step.stride, divisor_override=1)
        return sums.div_(self._counts(run, step, cells, x)), None

    def backward(self, run: TapeRun, step: AvgPool, grad: Tensor, kept: Any) -> list[Tensor]:
        cells = run.backward_region(step.output)
        grad = grad.div_(self._counts(run, step, cells, grad))
        frame = _frame(run, step, cells, inside=False)
        (top, bottom), (left, right) = frame
        whole = grad.new_empty(1, grad.shape[1], bottom - top, right - left)
        how = (list(step.kernel), list(step.stride), [0, 0], False, True, 1)
        dense = grad.contiguous(memory_format=torch.channels_last)
        whole = whole.contiguous(memory_format=torch.channels_last)
        back = torch.ops.aten.avg_pool2d_backward(dense, whole, *how)
        return [fit(back, frame, run.backward_region(step.inputs[0]))]

    @staticmethod
    def _counts(run: TapeRun, step: AvgPool, cells: Box, like: Tensor) -> Tensor:
        """The number of cells that count in each window, (rows, columns)."""
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
        cells = _frame(run, step, run.backward_region(step.output), inside=False)
        return [fit(grad, cells, run.backward_region(step.inputs[0]))]


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


def _joined_on_card(step: Join, parts: list[Tensor]) -> Tensor:
    """The concatenation in few launches, writing to no part of a tensor: MPS does that wrong."""
    if all(step.relus):
        whole = torch.cat(parts, 1).clamp_(0, step.most)
    else:
        passed = zip(parts, step.relus, strict=True)
        whole = torch.cat([x.clamp(0, step.most) if relu else x for x, relu in passed], 1)
    return whole.contiguous(memory_format=torch.channels_last)


def _in_strips(x: Tensor, count: int) -> Tensor:
    """Maps (n, C, h, w) as `count` maps with the same rows, channels last; copied if necessary."""
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
    """The cells of an input of a step that works cell by cell."""
    frame, cells = run.forward_region(step.inputs[number]), run.forward_region(step.output)
    return x if frame == cells else cut_out(x, _within(cells, frame))


def _frame(run: TapeRun, step: Step, cells: Box, inside: bool) -> Box:
    """The cells of the input that cells of the output see; only those `inside` the map, or all."""
    spans = []
    for axis in (0, 1):
        start, stop = reach(step, axis).seen(Span(*cells[axis]))
        if inside:
            start, stop = max(0, start), min(run.shape(step.inputs[0])[axis], stop)
        spans.append((start, stop))
    return spans[0], spans[1]


def _seen(run: TapeRun, step: Step, cells: Box, x: Tensor) -> tuple[Tensor, Edges]:
    """The input cells that output cells see, and how many cells beyond each edge they see."""
    (top, bottom), (left, right) = _frame(run, step, cells, inside=True)
    (high, low), (near, far) = _frame(run, step, cells, inside=False)
    frame = run.forward_region(step.inputs[0])
    box = ((top, bottom), (left, right))
    seen = x if box == frame else cut_out(x, _within(box, frame))
    return seen, (left - near, far - right, top - high, low - bottom)


def _fitted(run: TapeRun, step: Step, number: int, grad: Tensor) -> Tensor:
    """The gradient of a step's output as that of an input, for a step that works cell by cell."""
    return fit(grad, run.backward_region(step.output), run.backward_region(step.inputs[number]))


def fit(grad: Tensor, box: Box, target: Box) -> Tensor:
    """Return a gradient known at the cells `box` for the cells `target`; zero outside `box`."""
    if box == target:
        return grad
    (top, bottom), (left, right) = _within(target, box)
    rows, columns = grad.shape[-2:]
    if min(top, left) < 0 or bottom > rows or right > columns:
        return F.pad(grad, (-left, right - columns, -top, bottom - rows))
    return cut_out(grad, ((top, bottom), (left, right)))


def _gate(run: TapeRun, step: Step, result: Tensor, most: float | None) -> Tensor | None:
    """The mask of the cells where a ReLU passes the gradient, or its result instead."""
    if not run.backwards:
        return None
    needed = cut_out(
        result, _within(run.backward_region(step.output), run.forward_region(step.output))
    )
    if most is not None:
        return (needed > 0) & (needed < most)
    narrower = run.gradients not in {None, needed.dtype}
    return needed > 0 if narrower or needed.nbytes > LARGE else needed


def _through_gate(grad: Tensor, gate: Tensor) -> Tensor:
    if gate.dtype == torch.bool:
        return grad.mul_(gate)
    if grad.is_contiguous(memory_format=torch.channels_last):
        passed: Tensor = torch.ops.aten.threshold_backward.grad_input(
            grad, gate, 0, grad_input=grad
        )
        return passed
    return torch.ops.aten.threshold_backward(grad, gate, 0)  # type: ignore[no-any-return]
