"""Lowers an extracted network to a flat list of steps.

Most networks consist of a few kinds of steps only. Executors run them forward and backward without
torch's autograd. Work that need not be repeated for each picture is done here: dropout is left out,
and batch norm becomes part of the convolution in front of it.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor, fx, nn

from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.program.convolution import as_pair, convolve
from dreamlayer.networks.program.steps import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    MaxPool,
    Normalise,
    Pad,
    Relu,
    Step,
)


@dataclass(frozen=True)
class Program:
    """A network from the picture (1, 3, H, W), R, G, B in 0..1, to the maps of its layers.

    Attributes:
        steps: in the order of execution.
        outputs: the number of each map's value, in the order of the layers; other steps may read
            these values, too.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]


def program_of(module: nn.Module) -> Program | None:
    """Return the program of a frozen network in eval mode; None if a step of it is not supported.

    Args:
        module: a sequence of layers (nn.Sequential), the last of which may be a traced graph with
            one picture as its input (fx.GraphModule), such as Network.module. The program shares
            the module's weights, except those with folded batch norm.
    """
    builder = _ProgramBuilder()
    try:
        outputs = builder.read(module, _Value(0))
    except _UnknownStep:
        return None
    return Program(tuple(builder.steps), tuple(int(value) for value in outputs))


class _UnknownStep(Exception):
    """The network has a step of an unsupported kind."""


class _Value(int):
    """The number of a value, as distinct from plain numbers among a function's arguments."""


class _ProgramBuilder:
    """Collects steps while it walks through modules."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._values = 0  # the number of the last one

    def read(self, module: nn.Module, value: _Value) -> tuple[_Value, ...]:
        """Add the steps of a module; returns the numbers of its outputs."""
        if isinstance(module, fx.GraphModule):
            return self._graph(module, value)
        if isinstance(module, nn.Sequential):
            outputs: tuple[_Value, ...] = (value,)
            for part in module:
                if len(outputs) != 1:
                    raise _UnknownStep
                outputs = self.read(part, outputs[0])
            return outputs
        return (self._module(module, value),)

    def _graph(self, graph: fx.GraphModule, value: _Value) -> tuple[_Value, ...]:
        values: dict[fx.Node, _Value] = {}
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                values[node] = value
            elif node.op == "output":
                result = node.args[0]
                nodes = result if isinstance(result, tuple) else (result,)
                return tuple(values[node] for node in nodes)
            elif node.op == "call_module":
                module, read = graph.get_submodule(node.target), values[node.args[0]]
                alone = len(node.args[0].users) == 1
                values[node] = self._module(module, read, may_fold=alone)
            elif node.op == "call_function":
                values[node] = self._function(graph, node, values)
            elif node.op != "get_attr":
                raise _UnknownStep
        raise _UnknownStep

    def _module(self, module: nn.Module, value: _Value, may_fold: bool = False) -> _Value:
        if isinstance(module, nn.BatchNorm2d):
            return self._batch_norm(module, value, may_fold)
        for kind, write in _MODULES.items():
            if isinstance(module, kind):
                return write(self, module, value)
        raise _UnknownStep

    def _prepared(self, module: Preprocessing, value: _Value) -> _Value:
        return self._add(Normalise, (value,), mean=module.mean, std=module.std)

    def _conv_module(self, module: nn.Conv2d, value: _Value) -> _Value:
        if module.padding_mode != "zeros":
            raise _UnknownStep
        weight, bias, dilation = module.weight, module.bias, module.dilation
        edges: Any = module.padding
        return self._convolution(value, weight, bias, module.stride, edges, dilation, module.groups)

    def _max_module(self, module: nn.MaxPool2d, value: _Value) -> _Value:
        kernel, stride, padding = module.kernel_size, module.stride, module.padding
        return self._max_pool(value, kernel, stride, padding, module.dilation, module.ceil_mode)

    def _average_module(self, module: nn.AvgPool2d, value: _Value) -> _Value:
        if module.divisor_override is not None:
            raise _UnknownStep
        kernel, stride, padding = module.kernel_size, module.stride, module.padding
        return self._average_pool(
            value, kernel, stride, padding, module.ceil_mode, module.count_include_pad
        )

    def _pad_module(self, module: nn.ZeroPad2d, value: _Value) -> _Value:
        left, right, above, below = module.padding
        if not any(module.padding):
            return value
        if min(module.padding) < 0:
            raise _UnknownStep
        return self._add(Pad, (value,), left=left, right=right, above=above, below=below)

    def _function(
        self, graph: fx.GraphModule, node: fx.Node, values: dict[fx.Node, _Value]
    ) -> _Value:
        """Add the step of a call of one of torch's functions."""
        if node.target not in _FUNCTIONS:
            raise _UnknownStep
        write = _FUNCTIONS[node.target]
        parameters = list(inspect.signature(write).parameters)[1:]
        arguments = {**dict(zip(parameters, node.args, strict=False)), **node.kwargs}

        def resolve(argument: fx.Node) -> _Value | Tensor:
            if argument.op == "get_attr":
                return operator.attrgetter(str(argument.target))(graph)  # type: ignore[no-any-return]
            return values[argument]

        resolved = {
            name: fx.node.map_arg(argument, resolve) for name, argument in arguments.items()
        }
        if len(node.args) > len(parameters) or not resolved.keys() <= set(parameters):
            raise _UnknownStep
        return write(self, **resolved)

    def _convolution(
        self,
        input: _Value,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> _Value:
        if padding == "valid":
            padding = 0
        if isinstance(padding, str) or as_pair(dilation) != (1, 1):
            raise _UnknownStep
        edges = as_pair(padding)
        if any(p >= side for p, side in zip(edges, weight.shape[2:], strict=True)):
            raise _UnknownStep
        return self._add(
            Conv, (input,), weight=weight.detach(), bias=None if bias is None else bias.detach(),
            stride=as_pair(stride), padding=edges, groups=groups,
        )  # fmt: skip

    def _batch_norm(self, norm: nn.BatchNorm2d, value: _Value, may_fold: bool) -> _Value:
        if norm.running_mean is None or norm.running_var is None:
            raise _UnknownStep
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        shift = -norm.running_mean.double() * scale
        if norm.affine:
            scale, shift = scale * norm.weight.double(), shift * norm.weight.double()
            shift = shift + norm.bias.double()
        last = self.steps[-1] if self.steps else None
        if may_fold and isinstance(last, Conv) and last.output == value:
            self.steps[-1] = _folded(last, scale.detach(), shift.detach())
            return value
        exact = norm.running_mean.dtype
        scale, shift = scale.detach().to(exact), shift.detach().to(exact)
        return self._add(Affine, (value,), scale=scale, shift=shift)

    def _relu(self, input: _Value, inplace: bool = False) -> _Value:
        return self._add(Relu, (input,), most=None)

    def _relu6(self, input: _Value, inplace: bool = False) -> _Value:
        return self._add(Relu, (input,), most=6.0)

    def _max_pool(
        self,
        input: _Value,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> _Value:
        if as_pair(dilation) != (1, 1) or return_indices:
            raise _UnknownStep
        sides, step = as_pair(kernel_size), as_pair(stride or kernel_size)
        how = {"kernel": sides, "stride": step, "padding": as_pair(padding), "ceil": ceil_mode}
        return self._add(MaxPool, (input,), **how)

    def _average_pool(
        self,
        input: _Value,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> _Value:
        if divisor_override is not None:
            raise _UnknownStep
        return self._add(
            AvgPool, (input,), kernel=as_pair(kernel_size), stride=as_pair(stride or kernel_size),
            padding=as_pair(padding), ceil=ceil_mode, count_padding=count_include_pad,
        )  # fmt: skip

    def _concat(self, tensors: Sequence[_Value], dim: int = 0) -> _Value:
        if dim != 1:
            raise _UnknownStep
        return tensors[0] if len(tensors) == 1 else self._add(Concat, tuple(tensors))

    def _sum(self, input: _Value, other: _Value) -> _Value:
        return self._add(Add, (input, other))

    def _add(self, kind: type[Step], inputs: tuple[_Value, ...], **how: Any) -> _Value:
        if not all(isinstance(value, _Value) for value in inputs):
            raise _UnknownStep  # a number or a weight in place of a map
        self._values += 1
        self.steps.append(kind(tuple(int(value) for value in inputs), self._values, **how))
        return _Value(self._values)


def _folded(conv: Conv, scale: Tensor, shift: Tensor) -> Conv:
    """A convolution fused with the affine step behind it; its weights are rounded once."""
    exact = conv.weight.dtype
    bias = shift if conv.bias is None else conv.bias.double() * scale + shift
    weight = conv.weight.double() * scale[:, None, None, None]
    layout = torch.channels_last
    return replace(conv, weight=weight.to(exact, memory_format=layout), bias=bias.to(exact))


_MODULES: dict[Any, Callable[..., _Value]] = {
    Preprocessing: _ProgramBuilder._prepared,
    nn.Conv2d: _ProgramBuilder._conv_module,
    nn.ReLU: lambda reader, _, value: reader._relu(value),
    nn.ReLU6: lambda reader, _, value: reader._relu6(value),
    nn.MaxPool2d: _ProgramBuilder._max_module,
    nn.AvgPool2d: _ProgramBuilder._average_module,
    nn.ZeroPad2d: _ProgramBuilder._pad_module,
    nn.Dropout: lambda _reader, _module, value: value,
    nn.Identity: lambda _reader, _module, value: value,
}
# The methods have the same parameter names as the functions.
_FUNCTIONS: dict[Any, Callable[..., _Value]] = {
    F.conv2d: _ProgramBuilder._convolution,
    convolve: _ProgramBuilder._convolution,
    F.relu: _ProgramBuilder._relu,
    torch.relu: _ProgramBuilder._relu,
    F.relu6: _ProgramBuilder._relu6,
    F.max_pool2d: _ProgramBuilder._max_pool,
    F.avg_pool2d: _ProgramBuilder._average_pool,
    torch.cat: _ProgramBuilder._concat,
    operator.add: _ProgramBuilder._sum,
    torch.add: _ProgramBuilder._sum,
}
