"""Networks that together have every kind of the kernel's steps."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dreamlayer.networks.executors.kernel import library
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import Program, program_of
from tests.networks.kernel_networks import Branches, Fire, Inverted, Residual, network

# All but CLEAR, which sets memory to 0 where only some channels of a map have a gradient.
KINDS = set(range(library.DEPTHWISE_BACK + 1)) - {library.CLEAR}


def programs() -> dict[str, tuple[Program, tuple[int, int]]]:
    """{name: (program, (height, width) of the picture in pixels)}."""
    fire = [nn.Conv2d(3, 32, 3, 2), nn.ReLU(), Fire(32, 16, 32), Residual(64), Fire(64, 16, 16)]
    branches = [nn.Conv2d(3, 20, 5, 1, 2), nn.MaxPool2d(3, 2, 1), nn.ReLU(), Branches(20)]
    means = [nn.Conv2d(3, 24, 3), nn.AvgPool2d(3, 2, 1), nn.Conv2d(24, 40, 3, 2), nn.ReLU()]
    inverted = [nn.Conv2d(3, 16, 3, 2, 1), Inverted(16, 24, 3, 2), Inverted(24, 24, 5)]
    small = {"fire": fire, "branches": branches, "means": means, "inverted": inverted}
    found = {
        name: (program_of(_weighted(network(*layers))), (61, 74)) for name, layers in small.items()
    }
    for model, layer in (("squeezenet1_1", "10"), ("efficientnet-lite0", "9")):
        found[model] = (program_of(extract(model, [layer]).module), (130, 141))
    return found


def _weighted(module: nn.Module) -> nn.Module:
    """The module with weights that are the same on every system, unlike those of torch's random."""
    random = np.random.default_rng(3)
    for weight in module.parameters():
        most = 1 / np.sqrt(max(1, weight[0].numel()))
        numbers = random.uniform(-most, most, tuple(weight.shape)).astype(np.float32)
        weight.copy_(torch.from_numpy(numbers))
    return module
