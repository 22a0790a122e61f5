"""The Laplacian pyramid (Burt and Adelson, 1983): a picture as a sum of bands, fine to coarse.

Each band is what halving and enlarging the picture again loses, so the bands add up to the picture
exactly, whatever the filters are:

    picture ─┬─ halve ─┬─ halve ── … ── rest
             │         │
      band 0 = picture − enlarge(half)      band 1 = half − enlarge(quarter)      …

Only the halves are stored, together a third of the picture; bands are computed on reading.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

import torch

from dreamlayer.engine.image.padding import nearest, opposite
from dreamlayer.engine.image.planes import (
    ComputedPlane,
    Plane,
    StoredPlane,
    as_stored_plane,
    copy,
    exact_format,
    is_card,
    read_all,
)
from dreamlayer.engine.image.resampling import FilteredPlane, FilterTaps

BLUR = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def levels(picture: Plane, count: int, wrap: bool = False) -> list[Plane]:
    """The levels of the pyramid: a picture (1, C, H, W), then the result of each halving."""
    all_levels = [picture]
    for _ in range(count):
        half = _halve(all_levels[-1], wrap)
        if is_card(half.device):
            all_levels.append(as_stored_plane(read_all(half)))
            continue
        storage = torch.empty(half.shape, dtype=half.dtype, device=half.device)
        all_levels.append(copy(half, StoredPlane(storage, exact_format(half.dtype))))
    return all_levels


def bands(all_levels: Sequence[Plane], wrap: bool = False) -> list[Plane]:
    """The bands of a picture with these levels, fine to coarse, then the rest."""
    all_bands: list[Plane] = [
        ComputedPlane(torch.sub, (fine, enlarge(coarse, fine, wrap)))
        for fine, coarse in pairwise(all_levels)
    ]
    return [*all_bands, all_levels[-1]]


def weighted_sum(
    all_levels: Sequence[Plane], weights: Sequence[float], wrap: bool = False
) -> Plane:
    """The sum of the picture's bands and its rest, each multiplied by its weight.

    Level k of the result is w_k · level k + enlarge(difference of the weights on coarser levels),
    so no band has to be stored. Overwrites the coarser levels.
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
    enlarged = enlarge(coarser, level, wrap)
    return ComputedPlane(lambda fine, more: torch.add(more, fine, alpha=weight), (level, enlarged))


def _halve(plane: Plane, wrap: bool) -> Plane:
    """Blur with 1 4 6 4 1 (binomial), then take every other pixel."""
    return FilteredPlane(plane, *(_halving_taps(length, wrap) for length in plane.shape[-2:]))


@functools.lru_cache(maxsize=64)
def _halving_taps(length: int, wrap: bool) -> FilterTaps:
    indices = 2 * torch.arange((length + 1) // 2)[:, None] + torch.arange(-2, 3)
    weights = torch.tensor(BLUR, dtype=torch.float64).expand(indices.shape)
    return FilterTaps(length, indices, weights, opposite if wrap else nearest)


def enlarge(coarse: Plane, like: Plane, wrap: bool) -> Plane:
    """Enlarge a half to the size of `like` with the same filter."""
    both = zip(coarse.shape[-2:], like.shape[-2:], strict=True)
    return FilteredPlane(coarse, *(_enlarging_taps(length, new, wrap) for length, new in both))


@functools.lru_cache(maxsize=64)
def _enlarging_taps(length: int, new: int, wrap: bool) -> FilterTaps:
    numbers = torch.arange(new)[:, None]
    indices = numbers // 2 + torch.arange(-1, 2)
    even, odd = (
        torch.tensor(w, dtype=torch.float64) for w in ((0.125, 0.75, 0.125), (0, 0.5, 0.5))
    )
    weights = torch.where(numbers % 2 == 0, even, odd)
    return FilterTaps(length, indices, weights, opposite if wrap else nearest)
