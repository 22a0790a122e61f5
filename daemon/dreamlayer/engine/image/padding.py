"""How filters continue a picture beyond its edges."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Border = Callable[[int, int], int]  # maps an index beyond the ends to one in 0 … length − 1


def nearest(index: int, length: int) -> int:
    """Repeat the edge pixel."""
    return min(max(index, 0), length - 1)


def opposite(index: int, length: int) -> int:
    """Continue with the opposite edge (periodic)."""
    return index % length


def mirrored(index: int, length: int) -> int:
    """Reflect the picture; its edge pixels occur twice."""
    index %= 2 * length
    return min(index, 2 * length - 1 - index)


def reflected(index: int, length: int) -> int:
    """Reflect the picture; its edge pixels are not repeated."""
    if length == 1:
        return 0
    index %= 2 * (length - 1)
    return min(index, 2 * (length - 1) - index)


def extend(picture: Tensor, axis: int, before: int, after: int, wrap: bool) -> Tensor:
    """Pad a picture along `axis` with its edge pixels or, with `wrap`, from its opposite edge."""
    length = picture.shape[axis]
    indices = torch.arange(-before, length + after, device=picture.device)
    indices = indices.remainder_(length) if wrap else indices.clamp_(0, length - 1)
    return picture.index_select(axis, indices)
