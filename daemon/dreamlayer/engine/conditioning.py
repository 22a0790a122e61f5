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
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    weights = [weight / sum(weights) for weight in weights]
    # Sums of shifted pictures: a convolution would blow one channel up to the sixteen it likes.
    for axis, border in ((-1, (radius, radius, 0, 0)), (-2, (0, 0, radius, radius))):
        length = gradient.shape[axis]
        padded = F.pad(gradient, border, mode="replicate")
        gradient = torch.zeros_like(gradient)
        for offset, weight in enumerate(weights):
            gradient.add_(padded.narrow(axis, offset, length), alpha=weight)
    return gradient
