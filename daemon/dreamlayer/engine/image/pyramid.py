"""The Laplacian pyramid (Burt and Adelson, 1983): a picture as a sum of bands, fine to coarse.

Each band is what is lost when the picture is halved and enlarged again, so the bands add up to the
picture exactly, whatever the filters are:

    picture ─┬─ halve ─┬─ halve ── … ── rest
             │         │
      band 0 = picture − enlarge(half)      band 1 = half − enlarge(quarter)      …

Only the halves are kept, a third of the picture together; a band is computed when it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from dreamlayer.engine.image.padding import nearest, opposite
from dreamlayer.engine.image.planes import ComputedPlane, Plane, StoredPlane, copy, exact_format
from dreamlayer.engine.image.resampling import FilteredPlane, FilterTaps

BLUR = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def levels(picture: Plane, count: int, wrap: bool = False) -> list[Plane]:
    """A picture (1, C, H, W), and what is left of it after each of `count` halvings."""
    found = [picture]
    for _ in range(count):
        half = _halve(found[-1], wrap)
        storage = torch.empty(half.shape, dtype=half.dtype, device=half.device)
        found.append(copy(half, StoredPlane(storage, exact_format(half.dtype))))
    return found


def bands(all_levels: Sequence[Plane], wrap: bool = False) -> list[Plane]:
    """The bands of a picture of these levels, fine to coarse, and the rest."""
    found: list[Plane] = [
        ComputedPlane(torch.sub, (fine, _enlarge(coarse, fine, wrap)))
        for fine, coarse in pairwise(all_levels)
    ]
    return [*found, all_levels[-1]]


def weighted_sum(
    all_levels: Sequence[Plane], weights: Sequence[float], wrap: bool = False
) -> Plane:
    """The picture with its bands and its rest, each times its weight, added up again.

    Level k of it is w_k · level k + enlarge(what the weights of the coarser ones differ by):
    so no band has to be kept. The coarser levels are written over.
    """
    change: Plane | None = None
    for number in range(len(weights) - 1, 0, -1):
        level = all_levels[number]
        differing = _sum(level, weights[number] - weights[number - 1], change, wrap)
        assert isinstance(level, StoredPlane)
        change = copy(differing, level)
    return _sum(all_levels[0], weights[0], change, wrap)


def _sum(level: Plane, weight: float, coarser: Plane | None, wrap: bool) -> Plane:
    if coarser is None:
        return ComputedPlane(lambda fine: fine * weight, (level,))
    enlarged = _enlarge(coarser, level, wrap)
    return ComputedPlane(lambda fine, more: torch.add(more, fine, alpha=weight), (level, enlarged))


def _halve(plane: Plane, wrap: bool) -> Plane:
    """Every other pixel of a picture that is blurred with 1 4 6 4 1."""
    return FilteredPlane(plane, *(_halving_taps(length, wrap) for length in plane.shape[-2:]))


def _halving_taps(length: int, wrap: bool) -> FilterTaps:
    places = 2 * torch.arange((length + 1) // 2)[:, None] + torch.arange(-2, 3)
    weights = torch.tensor(BLUR, dtype=torch.float64).expand(places.shape)
    return FilterTaps(length, places, weights, opposite if wrap else nearest)


def _enlarge(coarse: Plane, like: Plane, wrap: bool) -> Plane:
    """A half in the size of the picture that was halved, by the same filter."""
    both = zip(coarse.shape[-2:], like.shape[-2:], strict=True)
    return FilteredPlane(coarse, *(_enlarging_taps(length, new, wrap) for length, new in both))


def _enlarging_taps(length: int, new: int, wrap: bool) -> FilterTaps:
    numbers = torch.arange(new)[:, None]
    places = numbers // 2 + torch.arange(-1, 2)
    even, odd = (
        torch.tensor(w, dtype=torch.float64) for w in ((0.125, 0.75, 0.125), (0, 0.5, 0.5))
    )
    weights = torch.where(numbers % 2 == 0, even, odd)
    return FilterTaps(length, places, weights, opposite if wrap else nearest)
