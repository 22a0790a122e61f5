"""A program computes the same as its network."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, fx, nn

from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
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
)


def run(program, x: Tensor) -> tuple[Tensor, ...]:
    """The definition of each step by torch's functions."""
    values = {0: x}
    for step in program.steps:
        first = values[step.inputs[0]]
        match step:
            case Normalise():
                computed = (first - step.mean) / step.std
            case Affine():
                computed = first * step.scale[:, None, None] + step.shift[:, None, None]
            case Conv():
                how = (step.stride, step.padding, 1, step.groups)
                computed = F.conv2d(first, step.weight, step.bias, *how)
            case Relu():
                computed = first.clamp(0, step.most)
            case MaxPool():
                how = (step.kernel, step.stride, step.padding, 1, step.ceil)
                computed = F.max_pool2d(first, *how)
            case AvgPool():
                how = (step.kernel, step.stride, step.padding, step.ceil, step.count_padding)
                computed = F.avg_pool2d(first, *how)
            case Pad():
                computed = F.pad(first, (step.left, step.right, step.above, step.below))
            case Concat():
                computed = torch.cat([values[k] for k in step.inputs], 1)
            case Add():
                computed = first + values[step.inputs[1]]
        values[step.output] = computed
    return tuple(values[k] for k in program.outputs)


class Everything(nn.Module):
    """Every kind of step, by modules and by functions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 5, 2, (1, 2), bias=False)
        self.norm = nn.BatchNorm2d(8, eps=0.01)
        self.wide = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.kept = nn.Conv2d(8, 8, 1)  # seen before its norm, too
        self.kept_norm = nn.BatchNorm2d(8)
        self.pad = nn.ZeroPad2d((1, 0, 2, 1))
        self.max = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.mean = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.six = nn.ReLU6()
        self.drop = nn.Dropout()
        self.last = nn.Parameter(torch.randn(5, 16, 1, 1))
        for norm in (self.norm, self.kept_norm):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = F.relu(self.norm(self.stem(x)), inplace=True)
        x = self.six(self.wide(self.pad(x)))
        kept = self.kept(self.drop(x))
        x = torch.cat([kept + self.kept_norm(kept), x], dim=1)
        small = self.max(x)
        functional = F.max_pool2d(x, kernel_size=2, stride=1, padding=1)
        return kept, self.mean(small), F.avg_pool2d(F.conv2d(functional, self.last), 3)


def traced(module: nn.Module) -> fx.GraphModule:
    return fx.symbolic_trace(module.double().eval().requires_grad_(False))


def test_every_kind_of_step_equals_the_network():
    module = traced(Everything())
    program = program_of(module)
    kinds = {type(step) for step in program.steps}
    assert kinds == {Conv, Relu, Affine, Pad, MaxPool, AvgPool, Concat, Add}
    x = torch.randn(1, 3, 41, 36, dtype=torch.float64)
    for computed, expected in zip(run(program, x), module(x), strict=True):
        torch.testing.assert_close(computed, expected, rtol=1e-12, atol=1e-12)


def test_batch_norm_is_folded_if_nothing_else_reads_the_convolution():
    program = program_of(traced(Everything()))
    assert sum(isinstance(step, Affine) for step in program.steps) == 1


def test_an_extracted_network_has_a_program():
    network = extract("squeezenet1_1", ["5", "10", "7"]).to("cpu", torch.float64)
    program = program_of(network.module)
    assert isinstance(program.steps[0], Normalise)
    x = torch.rand(1, 3, 95, 120, dtype=torch.float64)
    for computed, expected in zip(run(program, x), network(x), strict=True):
        torch.testing.assert_close(computed, expected, rtol=1e-12, atol=1e-12)


def test_a_program_shares_the_networks_weights():
    network = extract("squeezenet1_1", ["2"])
    (conv,) = (s for s in program_of(network.module).steps if isinstance(s, Conv))
    assert conv.weight.data_ptr() == next(network.module.parameters()).data_ptr()


class Calls(nn.Module):
    def __init__(self, call) -> None:
        super().__init__()
        self.call, self.weight = call, nn.Parameter(torch.ones(3, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


@pytest.mark.parametrize(
    "call",
    [
        lambda self, x: x + 1,
        lambda self, x: x + self.weight,
        lambda self, x: x * x,
        lambda self, x: torch.cat([x, x], 2),
        lambda self, x: F.conv2d(x, self.weight, padding=1),
        lambda self, x: F.conv2d(x, self.weight, dilation=2),
        lambda self, x: F.max_pool2d(x, 2, dilation=2),
        lambda self, x: F.avg_pool2d(x, 2, divisor_override=3),
        lambda self, x: x.sigmoid(),
    ],
)
def test_networks_with_unknown_functions_have_no_program(call):
    assert program_of(traced(Calls(call))) is None


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 3, 3, padding="same"),
        nn.ZeroPad2d(-1),
        nn.AvgPool2d(2, divisor_override=3),
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.Sigmoid(),
    ],
)
def test_networks_with_unknown_modules_have_no_program(module):
    assert program_of(nn.Sequential(module)) is None
