"""What a filter sees beyond the edges of a picture."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Border = Callable[[int, int], int]  # which of `length` pixels is seen at an index beyond the ends


def nearest(index: int, length: int) -> int:
    """The pixel at the edge."""
    return min(max(index, 0), length - 1)


def opposite(index: int, length: int) -> int:
    """The picture goes on at its opposite edge."""
    return index % length


def mirrored(index: int, length: int) -> int:
    """The picture's reflection; its edge pixels come twice."""
    index %= 2 * length
    return min(index, 2 * length - 1 - index)


def extend(picture: Tensor, axis: int, before: int, after: int, wrap: bool) -> Tensor:
    """A picture made longer along `axis`, by its edge pixels or, with `wrap`, its opposite edge."""
    length = picture.shape[axis]
    places = torch.arange(-before, length + after, device=picture.device)
    places = places.remainder_(length) if wrap else places.clamp_(0, length - 1)
    return picture.index_select(axis, places)
