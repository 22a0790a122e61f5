"""The sizes of a dream, from coarse to fine, and going from one to the next."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

CUBIC = -0.5  # Keys' parameter, as Pillow and torch have it where they antialias


def sizes(
    height: int, width: int, octaves: int, scale: float, minimum: int, above: int = 0
) -> list[tuple[int, int]]:
    """The pictures' sizes (h, w): a geometric series of ratio `scale`, coarse to fine.

    It ends with the source's own size, or `above` octaves beyond it (supersampling; the dream is
    reduced again in the end). Octaves that would be smaller than the source and whose shorter side
    would be below `minimum` are left out.
    """
    found = []
    for octave in range(octaves - 1 - above, -above - 1, -1):
        factor = scale**octave
        size = (max(1, round(height / factor)), max(1, round(width / factor)))
        if octave <= 0 or min(size) >= minimum:
            found.append(size)
    return found


def resize(picture: Tensor, size: tuple[int, int], wrap: bool = False) -> Tensor:
    """A picture (1, C, H, W) in another size (h, w), antialiased; the same size is no change.

    With `wrap` its opposite edges are neighbours, so that a seamless texture stays one.
    """
    if tuple(picture.shape[-2:]) == size:
        return picture
    if not wrap:
        return F.interpolate(picture, size, mode="bicubic", align_corners=False, antialias=True)
    return _resize_axis(_resize_axis(picture, -2, size[0]), -1, size[1])


def _resize_axis(picture: Tensor, axis: int, length: int) -> Tensor:
    """One axis of a resize with circular borders: a sum of pictures, one for each tap."""
    old = picture.shape[axis]
    if old == length:
        return picture
    places, weights = _taps(old, length)
    shape = [1] * picture.ndim
    shape[axis] = length
    resized: Tensor | None = None
    for place, weight in zip(places, weights, strict=True):
        pixels = picture.index_select(axis, place.remainder(old).to(picture.device))
        factors = weight.to(picture).view(shape)
        resized = pixels.mul_(factors) if resized is None else resized.addcmul_(pixels, factors)
    assert resized is not None
    return resized


def _taps(old: int, length: int) -> tuple[Tensor, Tensor]:
    """The pixels that each new pixel is made of, and their weights: (taps, length), float64.

    Keys' cubic, stretched by the ratio where the picture shrinks: what `F.interpolate` has with
    antialias.
    """
    ratio = old / length
    stretch = max(1.0, ratio)
    centres = (torch.arange(length, dtype=torch.float64) + 0.5) * ratio
    first = (centres - 2 * stretch).floor().long()
    count = int(4 * stretch) + 2
    places = first + torch.arange(count)[:, None]
    distance = ((places + 0.5 - centres) / stretch).abs()
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
    far = CUBIC * (((distance - 5) * distance + 8) * distance - 4)
    weights = torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))
    return places, weights / weights.sum(dim=0)
