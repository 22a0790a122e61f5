"""State dicts of networks that no one trained, as the files that users have hold them."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.networks.registry import architectures


def random_state(arch: str, classes: int) -> dict[str, Tensor]:
    """Weights that keep the size of what goes through them; the same every time."""
    random = torch.Generator().manual_seed(0)
    found = {}
    for name, array in architectures.skeleton(arch, classes).state_dict().items():
        if name.endswith("num_batches_tracked"):
            found[name] = torch.zeros((), dtype=torch.int64)
        elif name.endswith("running_var") or (array.dim() == 1 and name.endswith("weight")):
            found[name] = torch.ones(array.shape)
        elif array.dim() == 1:
            found[name] = torch.zeros(array.shape)
        else:
            gain = (2 / array[0].numel()) ** 0.5
            found[name] = torch.randn(array.shape, generator=random) * gain
    return found
