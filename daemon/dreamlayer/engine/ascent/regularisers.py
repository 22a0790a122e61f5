"""Regularisers of a dream: they act on the detail only, never on the photo."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.engine.image.padding import extend
from dreamlayer.engine.image.planes import is_card

HALF_WAY = 0.1  # picture units; the detail at which `stay` = 1 balances the dream's mean step


def tv_change(detail: Tensor, step: float, wrap: bool = False) -> Tensor:
    """The change by one gradient step down the detail's total variation; overwrites the detail.

    Source: Rudin, Osher, Fatemi, 1992; the colours share their edges (Blomgren and Chan, 1998).
    Differences below 8 steps count by their square, which keeps the explicit step from
    overshooting: there it blurs, and removes a checkerboard in one step.

    Args:
        detail: (1, C, H, W) in picture units.
        step: roughly the distance that a single outlier moves, in picture units.
        wrap: opposite edges are neighbours; otherwise nothing flows across the edges.
    """
    if is_card(detail.device):
        return _tv_change_at_once(detail, step, wrap)
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


def _tv_change_at_once(detail: Tensor, step: float, wrap: bool) -> Tensor:
    """The same of all channels together: few launches, three times the memory."""
    slopes = {}
    for axis in (-2, -1):
        after = detail.narrow(axis, 0 if wrap else detail.shape[axis] - 1, 1)
        slopes[axis] = detail.diff(dim=axis, append=after)
    squares = [slope.square().sum(dim=1, keepdim=True) for slope in slopes.values()]
    norm = (squares[0] + squares[1]).add_((8.0 * step) ** 2).rsqrt_().mul_(step)
    change = torch.zeros_like(detail)
    for axis, slope in slopes.items():
        flow = slope.mul_(norm)
        change += flow
        if wrap:
            change -= flow.roll(1, axis)
        else:
            length = detail.shape[axis]
            change.narrow(axis, 1, length - 1).sub_(flow.narrow(axis, 0, length - 1))
    return change


def stay_change(detail: Tensor, step: float) -> Tensor:
    """The change by one step down half the detail's square; overwrites the detail.

    Against a dream of mean strength the detail reaches equilibrium at 0.1 for a `stay` of 1. The
    step is implicit (evaluated at its end), so that it never overshoots.

    Args:
        detail: in picture units, after the step along the gradient.
        step: in picture units.
    """
    rate = step / HALF_WAY
    return detail.mul_(-rate / (1.0 + rate))


def _slope(detail: Tensor, channel: int, axis: int, wrap: bool) -> Tensor:
    """Forward differences of a channel along an axis."""
    return extend(detail[:, channel : channel + 1], axis, 0, 1, wrap).diff(dim=axis)
