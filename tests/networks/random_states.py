"""State dicts of untrained networks, in the form of users' files."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.networks.registry import architectures


def random_state(arch: str, classes: int) -> dict[str, Tensor]:
    """Weights that preserve the scale of activations; the same every time."""
    random = torch.Generator().manual_seed(0)
    state = {}
    for name, array in architectures.skeleton(arch, classes).state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros((), dtype=torch.int64)
        elif name.endswith("running_var") or (array.dim() == 1 and name.endswith("weight")):
            state[name] = torch.ones(array.shape)
        elif array.dim() == 1:
            state[name] = torch.zeros(array.shape)
        else:
            gain = (2 / array[0].numel()) ** 0.5
            state[name] = torch.randn(array.shape, generator=random) * gain
    return state
