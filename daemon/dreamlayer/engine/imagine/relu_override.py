"""Lets gradients pass closed ReLUs, so that inactive channels can become active.

In grey noise a quarter of the channels of a middle layer, and more than half of a late one, are
zero everywhere: a ReLU then passes no gradient, and the picture would stay grey for ever.

Source of the idea: Lucid's redirected ReLU gradients (Olah et al., 2017).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.networks.graph.function_override import FunctionOverride

LEAK = 0.1  # share of the gradient that passes a closed ReLU
_RELUS = (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


class ReluOverride(FunctionOverride):
    """While active, every ReLU has its usual values but passes part of the gradient when closed."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_RELUS, _leaky))


def _leaky(input: Tensor, inplace: bool = False) -> Tensor:
    """A ReLU in value with a leaky gradient; never in place."""
    return torch.where(input > 0, input, LEAK * (input - input.detach()))
