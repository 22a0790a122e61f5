"""Octave sizes, coarse to fine, and resizing of pictures, planes and masks."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.engine.image.padding import nearest, opposite
from dreamlayer.engine.image.planes import Plane, StoredPlane, as_plane, read_all
from dreamlayer.engine.image.resampling import FilteredPlane, FilterTaps

CUBIC = -0.5  # Keys' parameter a, as in Pillow and torch with antialiasing


def octave_sizes(
    height: int, width: int, octaves: int, scale: float, minimum: int, above: int = 0
) -> list[tuple[int, int]]:
    """The sizes (h, w) of the octaves: a geometric series of ratio `scale`, coarse to fine.

    The last is the source's own size, or `above` octaves larger (supersampling; the dream is
    reduced in the end). Octaves smaller than the source whose shorter side is below `minimum` are
    omitted.
    """
    series = []
    for octave in range(octaves - 1 - above, -above - 1, -1):
        factor = scale**octave
        size = (max(1, round(height / factor)), max(1, round(width / factor)))
        if octave <= 0 or min(size) >= minimum:
            series.append(size)
    return series


def resize(picture: Tensor, size: tuple[int, int], wrap: bool = False) -> Tensor:
    """Resize a picture (1, C, H, W) to (h, w), antialiased; returned unchanged if it has that size.

    With `wrap` opposite edges are neighbours, so that a seamless texture stays seamless.
    """
    if tuple(picture.shape[-2:]) == size:
        return picture
    return read_all(resize_plane(as_plane(picture), size, wrap))


def resize_plane(plane: Plane, size: tuple[int, int], wrap: bool = False) -> Plane:
    """Like `resize`, of a plane; computed on reading."""
    if tuple(plane.shape[-2:]) == size:
        return plane
    rows, columns = (_resize_taps(a, b, wrap) for a, b in zip(plane.shape[-2:], size, strict=True))
    return FilteredPlane(plane, rows, columns)


def resize_mask(mask: StoredPlane, size: tuple[int, int]) -> StoredPlane:
    """Resize a mask to (h, w): each pixel is the maximum of all input pixels that it overlaps."""
    for axis, length in ((-2, size[0]), (-1, size[1])):
        old = mask.shape[axis]
        if old == length:
            continue
        numbers = torch.arange(length, device=mask.device)
        first, last = numbers * old // length, (-(-(numbers + 1) * old // length)) - 1
        maxima = mask.storage.index_select(axis, first)
        for offset in range(1, int((last - first).max()) + 1):
            more = mask.storage.index_select(axis, torch.minimum(first + offset, last))
            torch.maximum(maxima, more, out=maxima)
        mask = StoredPlane(maxima, mask.format)
    return mask


def zoom_plane(plane: Plane, factor: float, wrap: bool = False) -> Plane:
    """Enlarge a plane about its centre, at its own size; computed on reading."""
    rows, columns = (_zoom_taps(length, factor, wrap) for length in plane.shape[-2:])
    return FilteredPlane(plane, rows, columns)


def _zoom_taps(length: int, factor: float, wrap: bool) -> FilterTaps:
    centres = (torch.arange(length, dtype=torch.float64) + 0.5 - length / 2) / factor + length / 2
    return _cubic_taps(length, centres, 1.0, wrap)


def _resize_taps(old: int, length: int, wrap: bool) -> FilterTaps | None:
    """Keys' cubic filter, stretched by the ratio when the picture shrinks (antialiasing)."""
    if old == length:
        return None
    ratio = old / length
    centres = (torch.arange(length, dtype=torch.float64) + 0.5) * ratio
    return _cubic_taps(old, centres, max(1.0, ratio), wrap)


def _cubic_taps(old: int, centres: Tensor, stretch: float, wrap: bool) -> FilterTaps:
    """Keys' cubic filter about some centres along an axis of `old` pixels.

    Without `wrap` pixels beyond the ends do not count, as in `F.interpolate` with antialias.
    """
    centres = centres[:, None]
    first = (centres - 2 * stretch).floor().long()
    indices = first + torch.arange(int(4 * stretch) + 2)
    distance = ((indices + 0.5 - centres) / stretch).abs()
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
    far = CUBIC * (((distance - 5) * distance + 8) * distance - 4)
    weights = torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))
    if not wrap:
        weights[(indices < 0) | (indices >= old)] = 0.0
    weights /= weights.sum(dim=1, keepdim=True)
    return FilterTaps(old, indices, weights, opposite if wrap else nearest)
