"""What holds a dream back while it is dreamed: it acts on the detail, never on the photo."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.engine.image.padding import extend

HALF_WAY = 0.1  # picture units


def tv_change(detail: Tensor, step: float, wrap: bool = False) -> Tensor:
    """The change that one step down the detail's total variation makes; written over the detail.

    Source: Rudin, Osher, Fatemi, 1992; the colours share their edges (Blomgren and Chan, 1998).
    Slopes below 8 steps are softened to their square, which keeps the explicit step from
    overshooting: there it blurs, and a checkerboard is gone in one step.

    Args:
        detail: (1, C, H, W) in picture units.
        step: how far it moves a lone pixel, roughly, in picture units.
        wrap: opposite edges are neighbours; else nothing flows over the edges.
    """
    norm = torch.full_like(detail[:, :1], (8.0 * step) ** 2)
    for axis in (-2, -1):
        for channel in range(detail.shape[1]):
            norm += _slope(detail, channel, axis, wrap).square_()
    norm = norm.rsqrt_().mul_(step)
    for channel in range(detail.shape[1]):
        plane = detail[:, channel : channel + 1]
        change = torch.zeros_like(plane)
        for axis in (-2, -1):
            length = detail.shape[axis]
            flow = _slope(detail, channel, axis, wrap).mul_(norm)
            change += flow
            if wrap:
                change -= flow.roll(1, axis)
            else:
                change.narrow(axis, 1, length - 1).sub_(flow.narrow(axis, 0, length - 1))
        plane.copy_(change)
    return detail


def stay_change(detail: Tensor, step: float) -> Tensor:
    """The change that one step down half the detail's square makes; written over the detail.

    Where the dream pushes on with its mean strength, it comes to rest at a detail of 0.1 for a
    `stay` of 1. The step is implicit (it is taken from where it ends), so that it never overshoots.

    Args:
        detail: in picture units, after the step towards the objective.
        step: in picture units.
    """
    rate = step / HALF_WAY
    return detail.mul_(-rate / (1.0 + rate))


def _slope(detail: Tensor, channel: int, axis: int, wrap: bool) -> Tensor:
    """What a channel gains from each pixel to the next along an axis."""
    return extend(detail[:, channel : channel + 1], axis, 0, 1, wrap).diff(dim=axis)
