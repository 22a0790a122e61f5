"""Extracts parts of a network with torch.fx: up to some layers, or from the last map on.

A network is traced once, on the meta device; a part of the trace then runs with the weights of any
network of the same architecture. Nothing behind the requested layers is held or run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from dreamlayer.networks.graph.receptive_field import shapes_only

CLASS = "class"  # layer name of the last map, from which the classifier computes the classes
SIZES = ((320, 384), (640, 768))  # px; maps grow with the picture, vectors do not


class NotTraceable(ValueError):
    """torch.fx cannot trace the network, or the network has no such map."""


class TracedNetwork:
    """A network as a graph of operations, some of which compute the maps of its layers."""

    def __init__(self, skeleton: nn.Module) -> None:
        """Trace a network in eval mode on the meta device; NotTraceable if torch.fx cannot."""
        try:
            self.graph = fx.Tracer().trace(skeleton)
        except Exception as error:  # anything that a forward() does and a trace cannot follow
            raise NotTraceable(f"torch.fx cannot follow {type(skeleton).__name__}.") from error
        _fix_batch_size(self.graph)
        self.skeleton = skeleton

    def up_to(self, network: nn.Module, layers: Sequence[str]) -> nn.Module:
        """Return the part of `network` that computes the maps of `layers`, as a tuple, in order.

        It takes the same pictures as the network, which must not be used otherwise afterwards.
        """
        nodes = [self._node(layer) for layer in layers]
        graph = fx.Graph()
        copies: dict[fx.Node, fx.Node] = {}
        for node in self.graph.nodes:
            if node in _needed(nodes):
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(tuple(copies[node] for node in nodes))
        return _module(network, graph)

    def classifier(self, network: nn.Module) -> nn.Module:
        """Return the part of `network` that computes the logits (1, classes) from the CLASS map."""
        last = self._node(CLASS)
        logits = _result(self.graph)
        graph = fx.Graph()
        copies = {last: graph.placeholder("map")}
        needed = _needed([logits], stop=last)
        for node in self.graph.nodes:
            if node in needed and node is not last:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(copies[logits])
        return _module(network, graph)

    @cached_property
    def maps(self) -> dict[str, int]:
        """{layer: channels} of all modules whose output is a map (1, C, h, w), and of CLASS."""
        return {
            layer: self._channels[node]
            for layer, node in self._outputs.items()
            if node in self._channels
        }

    def _node(self, layer: str) -> fx.Node:
        if layer not in self.maps:
            raise NotTraceable(f"The layer '{layer}' has no map.")
        return self._outputs[layer]

    @cached_property
    def _outputs(self) -> dict[str, fx.Node]:
        """The node of each module's output; of a module used again, the first time."""
        outputs: dict[str, fx.Node] = {}
        for node in self.graph.nodes:
            for module in node.meta.get("nn_module_stack", {}):
                outputs[module] = node
        maps = list(self._channels)
        if maps:
            outputs[CLASS] = maps[-1]
        return outputs

    @cached_property
    def _channels(self) -> dict[fx.Node, int]:
        """{node: channels} of the maps (1, C, h, w) that grow with the picture, in order."""
        small, large = (_shapes(self.skeleton, self.graph, *size) for size in SIZES)
        return {
            node: shape[1]
            for node, shape in small.items()
            if len(shape) == len(large.get(node, ())) == 4
            and shape[1] == large[node][1]
            and shape[2] < large[node][2]
            and shape[3] < large[node][3]
            and node.op not in {"placeholder", "output"}
        }


def average_pooling(part: nn.Module) -> None:
    """Replace the max pools of a part of a network by average pools over the same windows."""
    for module in part.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, _average_of(child))
    if isinstance(part, fx.GraphModule):
        for node in part.graph.nodes:
            if node.target is nn.functional.max_pool2d:
                _take_average(node)
        part.recompile()


def _average_of(pool: nn.MaxPool2d) -> nn.AvgPool2d:
    return nn.AvgPool2d(
        pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode, count_include_pad=False
    )


def _take_average(node: fx.Node) -> None:
    """Rewrite a call of F.max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode)."""
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
    arguments = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    kept = {name: arguments[name] for name in names if name in arguments and name != "dilation"}
    node.target = nn.functional.avg_pool2d
    node.args, node.kwargs = (), {**kept, "count_include_pad": False}


def _module(network: nn.Module, graph: fx.Graph) -> nn.Module:
    """The part of a network that a graph runs: in eval mode, frozen, without in-place steps."""
    for node in graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    part = fx.GraphModule(network, graph)
    for module in part.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]  # it would overwrite the map of the previous layer
    return part.eval().requires_grad_(False)


def _result(graph: fx.Graph) -> fx.Node:
    """The node that computes the network's logits."""
    (result,) = next(node for node in graph.nodes if node.op == "output").args
    if not isinstance(result, fx.Node):
        raise NotTraceable("The network has other outputs than the logits of its classes.")
    return result


def _needed(nodes: Sequence[fx.Node], stop: fx.Node | None = None) -> set[fx.Node]:
    """The nodes and all that they are computed from, except what `stop` is computed from."""
    needed: set[fx.Node] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        if node not in needed:
            needed.add(node)
            left += [] if node is stop else node.all_input_nodes
    return needed


def _fix_batch_size(graph: fx.Graph) -> None:
    """Replace queries of the batch size by 1: extracted parts run on one picture."""
    for node in graph.nodes:
        if node.op == "call_method" and node.target == "size" and node.args[1:] == (0,):
            for user in list(node.users):
                user.args = tuple(1 if argument is node else argument for argument in user.args)


class _ShapeRecorder(fx.Interpreter):
    """Runs a graph and records the shape of each node's output."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n] = tuple(result.shape)
        return result


def _shapes(
    skeleton: nn.Module, graph: fx.Graph, height: int, width: int
) -> dict[fx.Node, tuple[int, ...]]:
    """{node: shape} for a picture, up to the first node that does not accept its size."""
    recorder = _ShapeRecorder(skeleton, graph)
    recorder.extra_traceback = False
    # It stops where a network accepts pictures of one size only.
    with contextlib.suppress(RuntimeError, AssertionError), shapes_only():
        recorder.run(torch.empty(1, 3, height, width, device="meta"))
    return recorder.shapes
