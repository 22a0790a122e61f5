"""The sizes of a dream, from coarse to fine, and going from one to the next."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor


def sizes(
    height: int, width: int, octaves: int, scale: float, minimum: int
) -> list[tuple[int, int]]:
    """The pictures' sizes (h, w): a geometric series that ends with the source's own size.

    Octaves whose shorter side would be below `minimum` are left out; the last never is.
    """
    found = []
    for octave in range(octaves - 1, -1, -1):
        factor = scale**octave
        size = (max(1, round(height / factor)), max(1, round(width / factor)))
        if octave == 0 or min(size) >= minimum:
            found.append(size)
    return found


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (1, C, H, W) in another size (h, w), antialiased; the same size is no change."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    return F.interpolate(picture, size, mode="bicubic", align_corners=False, antialias=True)
