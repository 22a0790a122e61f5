"""Each kind of step as nodes of two graphs: forward, and backward to the gradient.

What a step keeps for its gradient is an output of the forward graph and an input of the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor

from dreamlayer.geometry import Span
from dreamlayer.networks.executors.onnx.graph import LOWEST, GraphBuilder, PlacedTensor
from dreamlayer.networks.executors.onnx.interleaving import from_taps, interleaved
from dreamlayer.networks.program.convolution import Box, Pair, backward_weight
from dreamlayer.networks.program.passes import Join
from dreamlayer.networks.program.regions import ProgramRegion, reach
from dreamlayer.networks.program.steps import (
    Add,
    Affine,
    AvgPool,
    Conv,
    MaxPool,
    Normalise,
    Pad,
    Relu,
    Step,
)

Forward = tuple[PlacedTensor, list[PlacedTensor]]  # a step's result, and what it keeps


@dataclass(frozen=True)
class GraphRun:
    """The graph that a step is added to, and the cells that the pass needs.

    Attributes:
        rows, columns: see `program_region`.
        channels: of each value.
        keeps: whether there will be a backward pass.
    """

    graph: GraphBuilder
    rows: ProgramRegion
    columns: ProgramRegion
    channels: dict[int, int]
    keeps: bool

    def forward_box(self, value: int) -> Box:
        return self.rows.forward[value], self.columns.forward[value]

    def backward_box(self, value: int) -> Box:
        return self.rows.backward[value], self.columns.backward[value]

    def lengths(self, value: int) -> Pair:
        """The rows and columns of a value computed from the whole crop."""
        return self.rows.length[value], self.columns.length[value]

    def reached(self, value: int) -> bool:
        """Whether the gradient at any of its cells is needed."""
        return has_cells(self.backward_box(value))

    def part(self, step: Step, x: PlacedTensor) -> PlacedTensor:
        """The cells of an input of a step that works cell by cell."""
        return self.graph.fit(x, self.forward_box(step.output))

    def kept(self, step: Step, *tensors: PlacedTensor) -> list[PlacedTensor]:
        """The cells of some tensors that the gradient of a step's output is needed at."""
        if not self.keeps or not self.reached(step.output):
            return []
        return [self.graph.fit(tensor, self.backward_box(step.output)) for tensor in tensors]


class OnnxOperation(Protocol):
    """A kind of step.

    `backward` returns the gradient of each input at any cells: wherever else it is zero.
    """

    def forward(self, run: GraphRun, step: Any, inputs: list[PlacedTensor]) -> Forward: ...

    def backward(
        self, run: GraphRun, step: Any, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]: ...


class _NormaliseNodes:
    def forward(self, run: GraphRun, step: Normalise, inputs: list[PlacedTensor]) -> Forward:
        graph, x = run.graph, run.part(step, inputs[0])
        centred = graph.cellwise("Sub", x, graph.constant(step.mean.numpy()))
        return graph.cellwise("Div", centred, graph.constant(step.std.numpy())), []

    def backward(
        self, run: GraphRun, step: Normalise, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        return [run.graph.cellwise("Div", grad, run.graph.constant(step.std.numpy()))]


class _AffineNodes:
    def forward(self, run: GraphRun, step: Affine, inputs: list[PlacedTensor]) -> Forward:
        x = run.part(step, inputs[0])
        scaled = run.graph.cellwise("Mul", x, _by_channel(run, step.scale))
        return run.graph.cellwise("Add", scaled, _by_channel(run, step.shift)), []

    def backward(
        self, run: GraphRun, step: Affine, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        return [run.graph.cellwise("Mul", grad, _by_channel(run, step.scale))]


class _ConvNodes:
    def forward(self, run: GraphRun, step: Conv, inputs: list[PlacedTensor]) -> Forward:
        graph, cells = run.graph, run.forward_box(step.output)
        x, edges = graph.crop(inputs[0], _frame(step, cells))
        own = [array for array in (step.weight, step.bias) if array is not None]
        weights = [graph.constant(array.numpy()) for array in own]
        name = graph.node(
            "Conv", [x.name, *weights], pads=edges, strides=step.stride, group=step.groups
        )
        return PlacedTensor(name, step.weight.shape[0], cells), []

    def backward(
        self, run: GraphRun, step: Conv, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        return [_convolve_backward(run, step, grad)]


class _ReluNodes:
    def forward(self, run: GraphRun, step: Relu, inputs: list[PlacedTensor]) -> Forward:
        result = _rectified(run, run.part(step, inputs[0]), step.most)
        return result, run.kept(step, result)

    def backward(
        self, run: GraphRun, step: Relu, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        return [_through_gate(run, grad, kept[0], step.most)]


class _JoinNodes:
    def forward(self, run: GraphRun, step: Join, inputs: list[PlacedTensor]) -> Forward:
        parts = [run.part(step, x) for x in inputs]
        parts = [
            _rectified(run, part, step.most) if relu else part
            for part, relu in zip(parts, step.relus, strict=True)
        ]
        name = run.graph.node("Concat", [part.name for part in parts], axis=1)
        result = replace(parts[0], name=name, channels=sum(part.channels for part in parts))
        gates = [part for part, relu in zip(parts, step.relus, strict=True) if relu]
        return result, run.kept(step, *gates)

    def backward(
        self, run: GraphRun, step: Join, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        sizes = [run.channels[value] for value in step.inputs]
        split = run.graph.constant(np.array(sizes, np.int64))
        names = run.graph.nodes("Split", [grad.name, split], len(sizes), axis=1)
        gates, shares = iter(kept), []
        for name, size, relu in zip(names, sizes, step.relus, strict=True):
            share = replace(grad, name=name, channels=size)
            shares.append(_through_gate(run, share, next(gates), step.most) if relu else share)
        return shares


class _MaxPoolNodes:
    """The gradient goes to the first of equal maxima, as in torch.

    Which cell of a window that is, is kept as a score: the first cell of a window scores as many as
    it has cells, the last one 1, and the highest score of a cell that equals the maximum counts.
    """

    def forward(self, run: GraphRun, step: MaxPool, inputs: list[PlacedTensor]) -> Forward:
        graph, cells = run.graph, run.forward_box(step.output)
        seen = graph.fit(inputs[0], _frame(step, cells), LOWEST)
        how = {"kernel_shape": step.kernel, "strides": step.stride}
        result = PlacedTensor(graph.node("MaxPool", [seen.name], **how), seen.channels, cells)
        best = run.kept(step, result)
        return result, [self._scores(run, step, inputs[0], cells) for cells in best]

    def backward(
        self, run: GraphRun, step: MaxPool, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        graph, places = run.graph, _places(step.kernel)
        share = _where(run, "Equal", kept[0].name, self._numbers(run, step), grad.name)
        each = graph.constant(np.ones(len(places), np.int64))
        names = graph.nodes("Split", [share, each], len(places), axis=0)
        taps = {p: replace(grad, name=name) for p, name in zip(places, names, strict=True)}
        return [_unpadded(from_taps(graph, taps, step.kernel, step.stride), step.padding)]

    def _scores(
        self, run: GraphRun, step: MaxPool, x: PlacedTensor, best: PlacedTensor
    ) -> PlacedTensor:
        graph = run.graph
        seen = graph.fit(x, _frame(step, best.box), LOWEST)
        taps = [graph.every(seen, place, best.size, step.stride) for place in _places(step.kernel)]
        cells = graph.node("Concat", taps, axis=0) if len(taps) > 1 else taps[0]
        scores = _where(run, "Equal", cells, best.name, self._numbers(run, step))
        return replace(best, name=graph.node("ReduceMax", [scores], axes=[0], keepdims=1))

    @staticmethod
    def _numbers(run: GraphRun, step: MaxPool) -> str:
        count = len(_places(step.kernel))
        return run.graph.constant(np.arange(count, 0, -1, dtype=np.float32).reshape(count, 1, 1, 1))


class _AvgPoolNodes:
    def forward(self, run: GraphRun, step: AvgPool, inputs: list[PlacedTensor]) -> Forward:
        graph, cells = run.graph, run.forward_box(step.output)
        seen = graph.fit(inputs[0], _frame(step, cells))
        how = {"kernel_shape": step.kernel, "strides": step.stride}
        name = graph.node("AveragePool", [seen.name], **how)
        return self._weighted(run, step, PlacedTensor(name, seen.channels, cells)), []

    def backward(
        self, run: GraphRun, step: AvgPool, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        """As of a convolution of each channel with equal weights."""
        mean = torch.full((grad.channels, 1, *step.kernel), 1.0 / np.prod(step.kernel))
        as_conv = Conv(
            step.inputs, step.output, mean, None, step.stride, step.padding, grad.channels
        )
        return [_convolve_backward(run, as_conv, self._weighted(run, step, grad))]

    @staticmethod
    def _weighted(run: GraphRun, step: AvgPool, means: PlacedTensor) -> PlacedTensor:
        """Means over whole windows as means over the cells that count, or their gradient."""
        shares = []
        for axis, (start, stop) in enumerate(means.box):
            length, reached = run.lengths(step.inputs[0])[axis], reach(step, axis)
            beyond = reached.padding if step.count_padding else 0
            first = np.arange(start, stop) * reached.stride - reached.padding
            last = np.minimum(first + reached.kernel, length + beyond)
            shares.append(reached.kernel / (last - np.maximum(first, -beyond)))
        weights = np.outer(*shares).astype(np.float32)
        if (weights == 1).all():
            return means
        return run.graph.cellwise("Mul", means, run.graph.constant(weights))


class _PadNodes:
    def forward(self, run: GraphRun, step: Pad, inputs: list[PlacedTensor]) -> Forward:
        cells = run.forward_box(step.output)
        return replace(run.graph.fit(inputs[0], _frame(step, cells)), box=cells), []

    def backward(
        self, run: GraphRun, step: Pad, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        return [replace(grad, box=_frame(step, grad.box))]


class _AddNodes:
    def forward(self, run: GraphRun, step: Add, inputs: list[PlacedTensor]) -> Forward:
        one, other = (run.part(step, x) for x in inputs)
        return run.graph.cellwise("Add", one, other.name), []

    def backward(
        self, run: GraphRun, step: Add, grad: PlacedTensor, kept: list[PlacedTensor]
    ) -> list[PlacedTensor]:
        return [grad, grad]


OPERATIONS: dict[type[Step], OnnxOperation] = {
    Normalise: _NormaliseNodes(),
    Affine: _AffineNodes(),
    Conv: _ConvNodes(),
    Relu: _ReluNodes(),
    Join: _JoinNodes(),
    MaxPool: _MaxPoolNodes(),
    AvgPool: _AvgPoolNodes(),
    Pad: _PadNodes(),
    Add: _AddNodes(),
}


def has_cells(box: Box) -> bool:
    """Whether a box is not empty."""
    return all(start < stop for start, stop in box)


def _frame(step: Step, cells: Box) -> Box:
    """The cells of the input that cells of the output see, also those beyond the map's edges."""
    rows, columns = (reach(step, axis).seen(Span(*cells[axis])) for axis in (0, 1))
    return rows, columns


def _by_channel(run: GraphRun, values: Tensor) -> str:
    return run.graph.constant(values[:, None, None].numpy())


def _places(kernel: Pair) -> list[Pair]:
    """The cells of a window in torch's order."""
    return [(row, column) for row in range(kernel[0]) for column in range(kernel[1])]


def _rectified(run: GraphRun, x: PlacedTensor, most: float | None) -> PlacedTensor:
    if most is None:
        return run.graph.cellwise("Relu", x)
    return run.graph.cellwise("Clip", x, run.graph.scalar(0.0), run.graph.scalar(most))


def _through_gate(
    run: GraphRun, grad: PlacedTensor, result: PlacedTensor, most: float | None
) -> PlacedTensor:
    """The gradient where a ReLU's result is above 0, and below `most` if given."""
    name = _where(run, "Greater", result.name, run.graph.scalar(0.0), grad.name)
    if most is not None:
        name = _where(run, "Less", result.name, run.graph.scalar(most), name)
    return replace(grad, name=name)


def _where(run: GraphRun, comparison: str, one: str, other: str, values: str) -> str:
    """The values where a comparison holds, elsewhere 0.

    Not by ONNX's Where: ONNX Runtime may transpose its condition, and can't do so on a card.
    """
    held = run.graph.node(comparison, [one, other])
    return run.graph.node("Mul", [run.graph.node("Cast", [held], to=TensorProto.FLOAT), values])


def _convolve_backward(run: GraphRun, step: Conv, grad: PlacedTensor) -> PlacedTensor:
    """The gradient at a convolution's input: see `convolution.convolve_backward`."""
    graph, weight = run.graph, backward_weight(step.weight, step.stride, step.groups)
    coarse, needed = [], []
    for axis, (low, high) in enumerate(run.backward_box(step.inputs[0])):
        s, p, taps = step.stride[axis], step.padding[axis], weight.shape[2 + axis]
        begin, end = (low + p) // s, (high - 1 + p) // s + 1
        coarse.append((begin, end))
        needed.append((begin - taps + 1, end))
    cells, edges = graph.crop(grad, (needed[0], needed[1]))
    name = graph.node("Conv", [cells.name, graph.constant(weight.numpy())], pads=edges,
                      group=step.groups)  # fmt: skip
    phases = PlacedTensor(name, weight.shape[0], (coarse[0], coarse[1]))
    return _unpadded(interleaved(graph, phases, step.stride, by_channel=True), step.padding)


def _unpadded(padded: PlacedTensor, padding: Pair) -> PlacedTensor:
    """Cells counted from the beginning of a map's padding, counted from that of the map."""
    rows, columns = (
        (start - p, stop - p) for (start, stop), p in zip(padded.box, padding, strict=True)
    )
    return replace(padded, box=(rows, columns))
