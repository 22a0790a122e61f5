"""Small networks with known geometry, for tests that want speed or float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dreamlayer.networks.executors.autograd import AutogradPass
from dreamlayer.networks.executors.base import Pass, cut_out
from dreamlayer.networks.graph import receptive_field
from dreamlayer.networks.program.convolution import Box
from dreamlayer.networks.registry import registry


class SmallNetwork:
    """A sequence of layers that ends at some of them, with geometry measured as for real networks.

    It has the embedded network's name, so that recipes can name its layers: "features.6".
    """

    name = "squeezenet1_1"
    device = runs_on = torch.device("cpu")
    bytes_per_pixel = 1000.0

    def __init__(
        self, module: nn.Sequential, taps: tuple[int, ...] = (), dtype: torch.dtype = torch.float64
    ) -> None:
        self.taps = taps or (len(module) - 1,)
        self.layers = tuple(f"features.{tap}" for tap in self.taps)
        self.maps = tuple(receptive_field.measure(module[: tap + 1]) for tap in self.taps)
        self.scales = (1.0,) * len(self.taps)
        self.stride = self.grain = max(one.stride for one in self.maps)
        self.minimum = max(one.minimum for one in self.maps)
        self.local = all(one.local for one in self.maps)
        self.dtype = dtype
        self.module = module.to(dtype).requires_grad_(False).eval()
        random = torch.Generator().manual_seed(4)
        self.classifier = torch.randn(5, self.maps[-1].channels, generator=random, dtype=dtype)
        self._grids: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        self.seen: list[tuple[int, int]] = []  # sizes of all inputs

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        self.seen.append((x.shape[-2], x.shape[-1]))
        return self._maps(x)

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return tuple(map(cut_out, self(x), outputs))

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> Pass:
        return AutogradPass(self, x, outputs, inputs_kept)

    def _maps(self, x: Tensor) -> tuple[Tensor, ...]:
        found = {}
        for number, layer in enumerate(self.module):
            x = layer(x)
            found[number] = x
        return tuple(found[tap] for tap in self.taps)

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        size = (height, width)
        if size not in self._grids:
            x = torch.zeros(1, 3, height, width, dtype=self.classifier.dtype)
            self._grids[size] = tuple((m.shape[-2], m.shape[-1]) for m in self._maps(x))
        return self._grids[size]

    def gradient_dependencies(self, axis: int, length: int, pixels: tuple[int, int]) -> None:
        """None: the cells' receptive fields are exact."""

    def pixel_dependencies(self, axis: int, length: int, cells: Sequence[tuple[int, int]]) -> None:
        """None: the cells' receptive fields are exact."""

    def largest_area(self) -> float:
        return math.inf

    def logits(self, cells: Tensor) -> Tensor:
        """A classifier that is not linear in the mean of its map."""
        return (cells.tanh().mean(dim=(2, 3)) @ self.classifier.t()).exp()


def pooled(dtype: torch.dtype = torch.float64, taps: tuple[int, ...] = ()) -> SmallNetwork:
    """Padded convolutions and floored max pooling, as VGG has: stride 4."""
    torch.manual_seed(0)
    return SmallNetwork(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 6, 3, padding=1),
        ),
        taps,
        dtype,
    )  # fmt: skip


def unpadded(dtype: torch.dtype = torch.float64, taps: tuple[int, ...] = ()) -> SmallNetwork:
    """A bare strided convolution and pooling with ceil_mode, as SqueezeNet has: stride 4."""
    torch.manual_seed(1)
    return SmallNetwork(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(8, 6, 3, padding=1),
        ),
        taps,
        dtype,
    )  # fmt: skip


def with_random_weights(name: str) -> nn.Module:
    """A network as from `registry.load`, with random weights: few trained ones are installed."""
    network = registry.skeleton(name).to_empty(device="cpu")
    torch.manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return network.eval().requires_grad_(False)
