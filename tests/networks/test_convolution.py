"""Reproducible convolutions equal those that they replace."""

import pytest
import torch
from torch import nn

from dreamlayer.networks.program.convolution import make_reproducible

KINDS = {
    "plain": {"kernel_size": 3, "padding": 1},
    "strided": {"kernel_size": 3, "stride": 2},
    "oblong": {"kernel_size": (1, 7), "padding": (0, 3)},
    "grouped": {"kernel_size": 3, "padding": 1, "groups": 4},
    "grouped and strided": {"kernel_size": 5, "stride": 2, "padding": 2, "groups": 4},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 8},
    "depthwise and strided": {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 8},
    "dilated": {"kernel_size": 3, "dilation": 2},
    "padded beyond": {"kernel_size": 1, "padding": 2},
    "same": {"kernel_size": 3, "padding": "same"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("called", ["a module", "a function"])
def test_map_and_gradient_equal_torchs(kind: str, layout: torch.memory_format, called: str) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 16, **KINDS[kind]).double().requires_grad_(False)
    network: nn.Module = nn.Sequential(plain)
    if called == "a function":
        network = torch.fx.symbolic_trace(_Called(plain))
    x = torch.randn(1, 8, 19, 22, dtype=torch.float64).contiguous(memory_format=layout)
    expected, grad = _map_and_gradient(plain, x)
    make_reproducible(network)
    computed, same_grad = _map_and_gradient(network, x)
    assert torch.equal(computed, expected)
    torch.testing.assert_close(same_grad, grad, rtol=1e-12, atol=1e-12)


class _Called(nn.Module):
    """A convolution by torch's function, as in EfficientNet-Lite."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias, self.how = conv.weight, conv.bias, conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        how = self.how
        return nn.functional.conv2d(
            x, self.weight, self.bias, how.stride, how.padding, how.dilation, how.groups
        )


def _map_and_gradient(network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    picture = x.clone().requires_grad_()
    computed = network(picture)
    return computed.detach(), torch.autograd.grad(computed.square().sum(), picture)[0]


@pytest.mark.parametrize("called", ["modules", "functions"])
def test_the_inner_gradient_is_independent_of_the_picture_size(called: str) -> None:
    """To the last bit; on some machines torch's own gradient differs with 80 pixels."""
    torch.manual_seed(0)
    stack = [nn.Conv2d(3, 64, 3, 2), nn.Conv2d(64, 16, 1), nn.Conv2d(16, 64, 3, 1, 1)]
    network: nn.Module = nn.Sequential(*stack).requires_grad_(False)
    if called == "functions":
        network = torch.fx.symbolic_trace(nn.Sequential(*(_Called(conv) for conv in stack)))
    make_reproducible(network)
    assert all(_gradients_agree(network, side) for side in (80, 200, 352))


def _gradients_agree(network: nn.Module, side: int) -> bool:
    """Whether a pixel's gradient is the same in a part of a picture."""
    torch.manual_seed(1)
    network.to(memory_format=torch.channels_last)
    x = torch.randn(1, 3, 400, 400).contiguous(memory_format=torch.channels_last)
    _, whole = _map_and_gradient(network, x)
    part = x[..., 20 : 20 + side, 20 : 20 + side].contiguous(memory_format=torch.channels_last)
    _, cut = _map_and_gradient(network, part)
    inside = slice(20, side - 20)
    same = slice(40, side)
    return torch.equal(cut[..., inside, inside], whole[..., same, same])
