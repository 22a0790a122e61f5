"""A small builder of ONNX graphs whose tensors know which cells of a map they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from dreamlayer.geometry import Span
from dreamlayer.networks.program.convolution import Box, Pair

OPSET, IR_VERSION = 17, 9  # what runtimes of the last years read
LOWEST = float(np.finfo(np.float32).min)  # beyond the edges of a max pool; cards may lack infinity

Edges = tuple[int, int, int, int]  # cells beyond a tensor: above, left, below, right


@dataclass(frozen=True)
class PlacedTensor:
    """A tensor (1, channels, rows, columns) of a graph.

    Attributes:
        box: the cells of the map that it holds; they may lie beyond the map's edges.
    """

    name: str
    channels: int
    box: Box

    @property
    def shape(self) -> tuple[int, int, int, int]:
        rows, columns = self.size
        return 1, self.channels, rows, columns

    @property
    def size(self) -> Pair:
        (top, bottom), (left, right) = self.box
        return bottom - top, right - left


class GraphBuilder:
    """Collects nodes, weights, inputs and outputs of one graph."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: dict[str, Any] = {}
        self._scalars: dict[float, str] = {}
        self._names = 0

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(len(constant.raw_data) for constant in self._initializers)

    def input(self, channels: int, box: Box) -> PlacedTensor:
        """Add an input."""
        return self._declare(self._inputs, PlacedTensor(self._name(), channels, box))

    def output(self, tensor: PlacedTensor) -> PlacedTensor:
        """Return a tensor that the graph hands out; asked for twice, it is handed out once."""
        if tensor.name not in self._outputs:
            told: list[Any] = []
            self._declare(told, tensor)
            self._outputs[tensor.name] = told[0]
        return tensor

    def copy(self, tensor: PlacedTensor) -> PlacedTensor:
        """A tensor of another name."""
        return replace(tensor, name=self.node("Identity", [tensor.name]))

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add an operation with one result; returns the result's name."""
        (name,) = self.nodes(kind, inputs, 1, **attributes)
        return name

    def nodes(self, kind: str, inputs: list[str], count: int, **attributes: Any) -> list[str]:
        """Add an operation with `count` results; returns their names."""
        names = [self._name() for _ in range(count)]
        self._nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def cellwise(self, kind: str, tensor: PlacedTensor, *others: str) -> PlacedTensor:
        """Add an operation that works cell by cell."""
        return replace(tensor, name=self.node(kind, [tensor.name, *others]))

    def constant(self, values: Any) -> str:
        """Add a constant: an array, or whole numbers for an operation's shapes and places."""
        array = np.ascontiguousarray(values)
        name = self._name()
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def scalar(self, value: float) -> str:
        """A single number, added once."""
        if value not in self._scalars:
            self._scalars[value] = self.constant(np.float32(value))
        return self._scalars[value]

    def crop(self, tensor: PlacedTensor, box: Box) -> tuple[PlacedTensor, Edges]:
        """Return the cells of `box` that a tensor has, and how many the box has beyond them."""
        rows, columns = (
            Span(*own).intersect(Span(*wanted)) for own, wanted in zip(tensor.box, box, strict=True)
        )
        inside = self._sliced(tensor, (rows, columns))
        (top, bottom), (left, right) = box
        return inside, (rows.start - top, columns.start - left, bottom - rows.stop,
                        right - columns.stop)  # fmt: skip

    def fit(self, tensor: PlacedTensor, box: Box, beyond: float = 0.0) -> PlacedTensor:
        """Return the cells of `box`: those that a tensor does not have are `beyond`."""
        inside, edges = self.crop(tensor, box)
        if not any(edges):
            return inside
        above, left, below, right = edges
        pads = self.constant(np.array([0, 0, above, left, 0, 0, below, right], np.int64))
        name = self.node("Pad", [inside.name, pads, self.scalar(beyond)])
        return replace(inside, name=name, box=box)

    def every(self, tensor: PlacedTensor, start: Pair, count: Pair, step: Pair) -> str:
        """Return `count` rows and columns of a tensor, one in each `step` cells from `start` on."""
        ends = [s + (n - 1) * p + 1 for s, n, p in zip(start, count, step, strict=True)]
        return self._slice(tensor.name, list(start), ends, list(step))

    def model(self) -> bytes:
        """The whole graph as a serialized ONNX model."""
        graph = helper.make_graph(
            self._nodes, "dream", self._inputs, list(self._outputs.values()), self._initializers
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return bytes(model.SerializeToString())

    def _sliced(self, tensor: PlacedTensor, box: Box) -> PlacedTensor:
        if box == tensor.box:
            return tensor
        starts = [a[0] - b[0] for a, b in zip(box, tensor.box, strict=True)]
        ends = [a[1] - b[0] for a, b in zip(box, tensor.box, strict=True)]
        return replace(tensor, name=self._slice(tensor.name, starts, ends, [1, 1]), box=box)

    def _slice(self, name: str, starts: list[int], ends: list[int], steps: list[int]) -> str:
        places = (np.array(numbers, np.int64) for numbers in (starts, ends, [2, 3], steps))
        return self.node("Slice", [name, *map(self.constant, places)])

    def _declare(self, told: list[Any], tensor: PlacedTensor) -> PlacedTensor:
        told.append(
            helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, list(tensor.shape))
        )
        return tensor

    def _name(self) -> str:
        self._names += 1
        return f"t{self._names}"
