"""The convolutions that stand in are the ones they stand in for."""

import pytest
import torch
from torch import nn

from dreamlayer.models.convolution import make_reproducible

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
def test_map_and_gradient_are_torchs(kind: str, layout: torch.memory_format, called: str) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 16, **KINDS[kind]).double().requires_grad_(False)
    network: nn.Module = nn.Sequential(plain)
    if called == "a function":
        network = torch.fx.symbolic_trace(_Called(plain))
    x = torch.randn(1, 8, 19, 22, dtype=torch.float64).contiguous(memory_format=layout)
    expected, slope = _map_and_gradient(plain, x)
    make_reproducible(network)
    found, same_slope = _map_and_gradient(network, x)
    assert torch.equal(found, expected)
    torch.testing.assert_close(same_slope, slope, rtol=1e-12, atol=1e-12)


class _Called(nn.Module):
    """A convolution by torch's function, as EfficientNet-Lite has them."""

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
    found = network(picture)
    return found.detach(), torch.autograd.grad(found.square().sum(), picture)[0]


def test_the_gradient_inside_does_not_depend_on_the_pictures_size() -> None:
    """To the last bit, and torch's own backward convolution does not manage that."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.Conv2d(16, 8, 1)
    ).requires_grad_(False)
    make_reproducible(network)
    network.to(memory_format=torch.channels_last)
    x = torch.randn(1, 3, 400, 400).contiguous(memory_format=torch.channels_last)
    _, whole = _map_and_gradient(network, x)
    part = x[..., 100:300, 100:300].contiguous(memory_format=torch.channels_last)
    _, cut = _map_and_gradient(network, part)
    assert torch.equal(cut[..., 20:-20, 20:-20], whole[..., 120:280, 120:280])
