"""Small networks with known geometry, for tests that want speed or float64."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dreamlayer.models import geometry


class SmallNetwork:
    """A cut network of a few layers, measured as the real ones are."""

    name = "small"
    layer = "last"

    def __init__(self, module: nn.Module, dtype: torch.dtype = torch.float64) -> None:
        found = geometry.measure(module)
        self.stride, self.reach, self.local = found.stride, found.reach, found.local
        self.channels, self.minimum = found.channels, found.minimum
        self.module = self._bare = module.to(dtype).requires_grad_(False).eval()

    def __call__(self, x: Tensor) -> Tensor:
        return self.module(x)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        shape = self._bare(torch.zeros(1, 3, height, width, dtype=next(self.parameters()).dtype))
        return shape.shape[-2], shape.shape[-1]

    def parameters(self):
        return self._bare.parameters()


def pooled(dtype: torch.dtype = torch.float64) -> SmallNetwork:
    """Padded convolutions and floored max pooling, as VGG has: stride 4."""
    torch.manual_seed(0)
    return SmallNetwork(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 6, 3, padding=1),
        ),
        dtype,
    )  # fmt: skip


def unpadded(dtype: torch.dtype = torch.float64) -> SmallNetwork:
    """A bare strided convolution and pooling with ceil_mode, as SqueezeNet has: stride 4."""
    torch.manual_seed(1)
    return SmallNetwork(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(8, 6, 3, padding=1),
        ),
        dtype,
    )  # fmt: skip
