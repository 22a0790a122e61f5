"""Small networks of the operations that the kernel has."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import fx, nn

from dreamlayer.networks.graph.preprocessing import Preprocessing


class Fire(nn.Module):
    """Two branches that read the same map and are concatenated, as in SqueezeNet."""

    def __init__(self, ins, squeezed, out):
        super().__init__()
        self.squeeze = nn.Conv2d(ins, squeezed, 1)
        self.one, self.three = nn.Conv2d(squeezed, out, 1), nn.Conv2d(squeezed, out, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.one(x)), torch.relu(self.three(x))], 1)


class Residual(nn.Module):
    """A map added to the output of a convolution over it."""

    def __init__(self, ins):
        super().__init__()
        self.conv = nn.Conv2d(ins, ins, 3, padding=1)

    def forward(self, x):
        return torch.relu(torch.relu(self.conv(x)) + x)


class Branches(nn.Module):
    """Concatenated pools and convolutions; channels of most branches fill whole groups."""

    def __init__(self, ins):
        super().__init__()
        self.one, self.three = nn.Conv2d(ins, 16, 1), nn.Conv2d(ins, 32, 3, padding=1)
        self.pool, self.last = nn.MaxPool2d(3, 1, 1, ceil_mode=True), nn.Conv2d(ins, 21, 1)

    def forward(self, x):
        branches = [self.one(x), torch.relu(self.three(x)), self.last(self.pool(x))]
        return torch.cat(branches, 1)


class Inverted(nn.Module):
    """Wide between two narrow maps, as in MobileNet-v2; in a sum if both are of one shape."""

    def __init__(self, ins, out, kernel, stride=1, pads=(0, 0, 0, 0)):
        super().__init__()
        wide, padding = 3 * ins, 0 if any(pads) else kernel // 2
        self.summed = ins == out and stride == 1 and (padding or sum(pads) == 2 * (kernel - 1))
        self.expand, self.pad = nn.Conv2d(ins, wide, 1), nn.ZeroPad2d(pads)
        self.deep = nn.Conv2d(wide, wide, kernel, stride, padding, groups=wide)
        self.project = nn.Conv2d(wide, out, 1)

    def forward(self, x):
        inside = self.pad(F.relu6(self.expand(x)))
        found = self.project(F.relu6(self.deep(inside)))
        return x + found if self.summed else found


def network(*layers):
    """A network of these layers in a row, behind a preprocessing, frozen."""
    torch.manual_seed(3)
    traced = fx.symbolic_trace(nn.Sequential(*layers))
    prepared = nn.Sequential(Preprocessing((0.4, 0.5, 0.6), (0.2, 0.3, 0.25)), traced)
    return prepared.eval().requires_grad_(False)
