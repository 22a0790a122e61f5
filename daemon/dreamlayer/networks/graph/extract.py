"""Taking a network apart with torch.fx: the part up to some layers, and the part behind the last.

A network is traced once, on the meta device; what is cut out of the trace then runs with the
numbers of any network of the same architecture. Nothing behind the layers wanted is held or run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from dreamlayer.networks.graph.receptive_field import shapes_alone

CLASS = "class"  # the name, among layers, of the last map: the one that the classes are told from
SIZES = ((320, 384), (640, 768))  # px; a layer's map grows with the picture, a vector does not


class NotTraceable(ValueError):
    """torch.fx can't follow the network, or it has no map of the kind wanted."""


class TracedNetwork:
    """The operations of a network, and which of them give the maps of its layers."""

    def __init__(self, skeleton: nn.Module) -> None:
        """Trace a network in eval mode on the meta device; Uncuttable if that can't be done."""
        try:
            self.graph = fx.Tracer().trace(skeleton)
        except Exception as error:  # whatever a forward() does that a trace can't follow
            raise NotTraceable(f"torch.fx cannot follow {type(skeleton).__name__}.") from error
        _count_one_picture(self.graph)
        self.skeleton = skeleton

    def up_to(self, network: nn.Module, layers: Sequence[str]) -> nn.Module:
        """Return the part of `network` that gives the maps of `layers`, as a tuple, in order.

        Takes pictures as the network does. The network must not be used for anything else.
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
        """Return the part of `network` that makes the logits (1, classes) out of the CLASS map."""
        last = self._node(CLASS)
        logits = _result(self.graph)
        graph = fx.Graph()
        copies = {last: graph.placeholder("map")}
        wanted = _needed([logits], but=last)
        for node in self.graph.nodes:
            if node in wanted and node is not last:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(copies[logits])
        return _module(network, graph)

    @cached_property
    def maps(self) -> dict[str, int]:
        """{layer: channels} of all modules that give a map (1, C, h, w), and of CLASS."""
        return {
            layer: self._channels[node]
            for layer, node in self._outputs.items()
            if node in self._channels
        }

    def _node(self, layer: str) -> fx.Node:
        if layer not in self.maps:
            raise NotTraceable(f"There is no map of '{layer}' to be had.")
        return self._outputs[layer]

    @cached_property
    def _outputs(self) -> dict[str, fx.Node]:
        """The node that gives the output of each module; of a module used again, the first time."""
        found: dict[str, fx.Node] = {}
        for node in self.graph.nodes:
            for place in node.meta.get("nn_module_stack", {}):
                found[place] = node
        maps = list(self._channels)
        if maps:
            found[CLASS] = maps[-1]
        return found

    @cached_property
    def _channels(self) -> dict[fx.Node, int]:
        """The nodes that give maps (1, C, h, w) which grow with the picture, as they run."""
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
    """Let a part of a network take the mean of each window of which it took the maximum."""
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
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    kept = {name: given[name] for name in names if name in given and name != "dilation"}
    node.target = nn.functional.avg_pool2d
    node.args, node.kwargs = (), {**kept, "count_include_pad": False}


def _module(network: nn.Module, graph: fx.Graph) -> nn.Module:
    """The part of a network that a graph runs: in eval mode, frozen, nothing done in place."""
    for node in graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    part = fx.GraphModule(network, graph)
    for module in part.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]  # it would reach into the map of the layer in front of it
    return part.eval().requires_grad_(False)


def _result(graph: fx.Graph) -> fx.Node:
    """The node that gives the network's logits."""
    (result,) = next(node for node in graph.nodes if node.op == "output").args
    if not isinstance(result, fx.Node):
        raise NotTraceable("The network gives more than the logits of its classes.")
    return result


def _needed(nodes: Sequence[fx.Node], but: fx.Node | None = None) -> set[fx.Node]:
    """The nodes, and all that they are computed from; what `but` is computed from is left out."""
    found: set[fx.Node] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        if node not in found:
            found.add(node)
            left += [] if node is but else node.all_input_nodes
    return found


def _count_one_picture(graph: fx.Graph) -> None:
    """Write 1 where a network asks how many pictures it got: what is behind never sees them."""
    for node in graph.nodes:
        if node.op == "call_method" and node.target == "size" and node.args[1:] == (0,):
            for user in list(node.users):
                user.args = tuple(1 if argument is node else argument for argument in user.args)


class _ShapeRecorder(fx.Interpreter):
    """Runs a graph and remembers the shapes of what its nodes give."""

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
    """The shapes that the nodes give for a picture; as far as the network can go with it."""
    watched = _ShapeRecorder(skeleton, graph)
    watched.extra_traceback = False
    # Stops where a network takes pictures of one size only.
    with contextlib.suppress(RuntimeError, AssertionError), shapes_alone():
        watched.run(torch.empty(1, 3, height, width, device="meta"))
    return watched.shapes
