"""What is done to a gradient before a step is taken with it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor


def gaussian(gradient: Tensor, sigma: float) -> Tensor:
    """Blur a gradient (1, C, H, W) with a Gaussian of `sigma` pixels; 0 leaves it alone.

    The gradient of a network with strides and pooling has far more of the highest frequencies
    than a photograph: without them strokes are smoother and the step goes into shapes.
    """
    if sigma <= 0:
        return gradient
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, dtype=gradient.dtype, device=gradient.device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    planes = F.pad(gradient.transpose(0, 1), (radius,) * 4, mode="replicate")
    rows = F.conv2d(planes, weights.view(1, 1, 1, -1))
    return F.conv2d(rows, weights.view(1, 1, -1, 1)).transpose(0, 1)
