"""The two graphs of a pass over crops of one shape: forward, and backward to the pixels."""

from __future__ import annotations

from dataclasses import dataclass

from dreamlayer.networks.executors.onnx.graph import GraphBuilder, PlacedTensor
from dreamlayer.networks.executors.onnx.operations import OPERATIONS, GraphRun, has_cells
from dreamlayer.networks.program.convolution import Box, Pair
from dreamlayer.networks.program.lowering import Program
from dreamlayer.networks.program.passes import channels
from dreamlayer.networks.program.regions import program_region

NONE: Box = ((0, 0), (0, 0))


@dataclass(frozen=True)
class PassShape:
    """What a pass computes: all that its graphs depend on.

    Attributes:
        size: rows and columns of the crop.
        outputs: the requested cells of each map.
        inputs_kept: the pixels whose gradient is needed; None: no gradient.
    """

    size: Pair
    outputs: tuple[Box, ...]
    inputs_kept: Box | None


@dataclass(frozen=True)
class OnnxGraph:
    """A serialized model, with the names of its tensors in the order of their use.

    Attributes:
        inputs: the crop; or the gradient of each map, then what was kept.
        outputs: the maps, or the gradient at the pixels. None where nothing is computed, or no
            pixel depends on it.
        kept: further outputs, for the backward graph.
        weight_bytes: bytes of the weights in it.
    """

    model: bytes
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    kept: tuple[str, ...]
    weight_bytes: int


class PassGraphs:
    """Builds the graphs of one shape."""

    def __init__(self, program: Program, shape: PassShape) -> None:
        """Take an `arranged` program."""
        self._program, self._shape = program, shape
        self._channels = channels(program)
        self._rows, self._columns = (
            program_region(
                program,
                axis,
                shape.size[axis],
                [box[axis] for box in shape.outputs],
                (shape.inputs_kept or NONE)[axis],
            )
            for axis in (0, 1)
        )
        self._kept: dict[int, list[PlacedTensor]] = {}  # {output of a step: what it keeps}

    def forward(self) -> OnnxGraph:
        """The graph from the crop (1, 3, rows, columns) to the maps and to what is kept."""
        run = self._run(keeps=self._shape.inputs_kept is not None)
        graph, (rows, columns) = run.graph, self._shape.size
        crop = graph.input(3, ((0, rows), (0, columns)))
        values = {0: graph.fit(crop, run.forward_box(0))}
        for step in self._program.steps:
            if has_cells(run.forward_box(step.output)):
                inputs = [values[value] for value in step.inputs]
                result, kept = OPERATIONS[type(step)].forward(run, step, inputs)
                values[step.output], self._kept[step.output] = result, kept
        # A map may be kept, too: handed out under another name, it can go another way.
        maps = [
            graph.output(graph.copy(graph.fit(values[value], box))).name if has_cells(box) else None
            for value, box in zip(self._program.outputs, self._shape.outputs, strict=True)
        ]
        own = dict.fromkeys(graph.output(t).name for some in self._kept.values() for t in some)
        return OnnxGraph(graph.model(), (crop.name,), tuple(maps), tuple(own), graph.weight_bytes)

    def backward(self) -> OnnxGraph:
        """The graph to the gradient at the kept pixels; `forward` must have been called."""
        assert self._shape.inputs_kept is not None
        run = self._run(keeps=False)
        pending: dict[int, PlacedTensor] = {}  # {value: its gradient, as far as it is added up}
        grads: list[str | None] = []
        for value, box in zip(self._program.outputs, self._shape.outputs, strict=True):
            counts = _overlap(box, run.backward_box(value))
            grads.append(self._gathered_input(run, pending, value, box) if counts else None)
        kept = self._kept_inputs(run)
        for step in reversed(self._program.steps):
            grad = pending.pop(step.output, None)
            if grad is None:
                continue
            own = [kept[tensor.name] for tensor in self._kept[step.output]]
            shares = OPERATIONS[type(step)].backward(run, step, grad, own)
            for value, share in zip(step.inputs, shares, strict=True):
                if _overlap(share.box, run.backward_box(value)):
                    _gather(run, pending, value, share)
        graph, output = run.graph, None
        if 0 in pending:
            pixels = graph.copy(graph.fit(pending[0], self._shape.inputs_kept))
            output = graph.output(pixels).name
        names = tuple(tensor.name for tensor in kept.values())
        model = graph.model() if output else b""
        return OnnxGraph(model, (*grads, *names), (output,), (), graph.weight_bytes)

    def _kept_inputs(self, run: GraphRun) -> dict[str, PlacedTensor]:
        """Inputs for all that was kept, in the order of the forward graph's outputs."""
        inputs: dict[str, PlacedTensor] = {}
        for tensors in self._kept.values():
            for tensor in tensors:
                if tensor.name not in inputs:
                    inputs[tensor.name] = run.graph.input(tensor.channels, tensor.box)
        return inputs

    def _gathered_input(
        self, run: GraphRun, pending: dict[int, PlacedTensor], value: int, box: Box
    ) -> str:
        """Add an input for the gradient of a map."""
        grad = run.graph.input(self._channels[value], box)
        _gather(run, pending, value, grad)
        return grad.name

    def _run(self, keeps: bool) -> GraphRun:
        return GraphRun(GraphBuilder(), self._rows, self._columns, self._channels, keeps)


def _gather(
    run: GraphRun, pending: dict[int, PlacedTensor], value: int, grad: PlacedTensor
) -> None:
    """Add the gradient from one reader of a value to those from the others."""
    own = run.graph.fit(grad, run.backward_box(value))
    if value in pending:
        own = run.graph.cellwise("Add", pending[value], own.name)
    pending[value] = own


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have cells in common."""
    return all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(one, other, strict=True))
