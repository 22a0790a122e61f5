"""Letting a gradient through where nothing is active, so that sleeping channels can be woken.

In grey noise a quarter of the channels of a middle layer, and more than half of a late one, are
zero everywhere: a ReLU then passes no gradient, and the picture would stay grey for ever.

Source of the idea: Lucid's redirected ReLU gradients (Olah et al., 2017).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.networks.graph.function_override import Rewritten

LEAK = 0.1  # of the gradient passes where a ReLU is closed
_RELUS = (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


class ReluOverride(Rewritten):
    """While active, every ReLU has its usual values, and a part of the gradient always passes."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_RELUS, _leaky))


def _leaky(input: Tensor, inplace: bool = False) -> Tensor:
    """A ReLU by value, never in place."""
    return torch.where(input > 0, input, LEAK * (input - input.detach()))
