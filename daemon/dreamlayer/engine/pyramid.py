"""The Laplacian pyramid (Burt and Adelson, 1983): a picture as a sum of bands, fine to coarse.

Each band is what is lost when the picture is halved and enlarged again, so the bands add up to the
picture exactly, whatever the filters are:

    picture ─┬─ halve ─┬─ halve ── … ── rest
             │         │
      band 0 = picture − enlarge(half)      band 1 = half − enlarge(quarter)      …
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from dreamlayer.engine.borders import extended


def split(picture: Tensor, bands: int, wrap: bool = False) -> list[Tensor]:
    """Divide a picture (1, C, H, W) into `bands` bands, fine to coarse, and a rest.

    Memory: the first band is written over the picture itself; the others are a third of it.
    """
    levels = [picture]
    for _ in range(bands):
        levels.append(_halve(levels[-1], wrap))
    for fine, coarse in pairwise(levels):
        _add_enlarged(fine, coarse, -1.0, wrap)
    return levels


def merge(levels: list[Tensor], wrap: bool = False) -> Tensor:
    """The picture that `split` divided, written over its first band."""
    for fine, coarse in zip(levels[-2::-1], levels[:0:-1], strict=True):
        _add_enlarged(fine, coarse, 1.0, wrap)
    return levels[0]


def _halve(picture: Tensor, wrap: bool) -> Tensor:
    """Every other pixel of a picture that is blurred with 1 4 6 4 1."""
    for axis in (-2, -1):
        count = (picture.shape[axis] + 1) // 2
        padded = extended(picture, axis, 2, 2, wrap)
        taps = [_every_other(padded, axis, offset, count) for offset in range(5)]
        picture = (taps[0] + taps[4]).add_(taps[1] + taps[3], alpha=4).add_(taps[2], alpha=6)
        picture /= 16
    return picture


def _add_enlarged(fine: Tensor, coarse: Tensor, sign: float, wrap: bool) -> None:
    """Add a half, enlarged by the same filter, to the picture."""
    tall = _enlarge(coarse, -2, fine.shape[-2], wrap)
    fine.add_(_enlarge(tall, -1, fine.shape[-1], wrap), alpha=sign)


def _enlarge(picture: Tensor, axis: int, length: int, wrap: bool) -> Tensor:
    count = picture.shape[axis]
    padded = extended(picture, axis, 1, 1, wrap)
    before, here, after = (padded.narrow(axis, offset, count) for offset in range(3))
    size = list(picture.shape)
    size[axis] = 2 * count
    enlarged = picture.new_empty(size)
    even, odd = (_every_other(enlarged, axis, offset, count) for offset in range(2))
    even.copy_(before).add_(here, alpha=6).add_(after).div_(8)
    odd.copy_(here).add_(after).div_(2)
    return enlarged.narrow(axis, 0, length)


def _every_other(picture: Tensor, axis: int, first: int, count: int) -> Tensor:
    """A view of `count` pixels along an axis, two apart."""
    end = first + 2 * count - 1
    return picture[..., first:end:2, :] if axis == -2 else picture[..., first:end:2]
