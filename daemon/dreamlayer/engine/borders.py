"""What a filter sees beyond the edges of a picture."""

from __future__ import annotations

import torch
from torch import Tensor


def extended(picture: Tensor, axis: int, before: int, after: int, wrap: bool) -> Tensor:
    """A picture made longer along `axis`, by its edge pixels or, with `wrap`, its opposite edge."""
    length = picture.shape[axis]
    places = torch.arange(-before, length + after, device=picture.device)
    places = places.remainder_(length) if wrap else places.clamp_(0, length - 1)
    return picture.index_select(axis, places)


def reflected(picture: Tensor, axis: int, before: int, after: int) -> Tensor:
    """A picture made longer along `axis` by its reflection; its edge pixels come twice."""
    length = picture.shape[axis]
    places = torch.arange(-before, length + after, device=picture.device)
    places = places.remainder_(2 * length)
    return picture.index_select(axis, torch.minimum(places, 2 * length - 1 - places))
