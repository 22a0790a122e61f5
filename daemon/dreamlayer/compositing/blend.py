"""Source + detail → result, pixel by pixel: colour modes and clipping.

Planes are (channels, pixels), sRGB-encoded, float32. Each function is a handful of passes, so that
everything can be recomputed while a slider moves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dreamlayer.compositing.pixels import Planes
from dreamlink.recipe.recipe import Recipe

LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)  # Rec. 709
CHROMA_CAP = np.float32(1.15)  # "capped": times the source's chroma in sRGB; 1.3 perceived at most
LEVEL = 1 / 255  # soft clip stays at this distance from black and white
_TINY = np.float32(1e-12)
_KNEE = np.float32(0.04045)  # end of the linear segment of the sRGB curve

# OKLab (Björn Ottosson, 2020): linear sRGB → cones; their cube roots → lightness; cones → sRGB.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_LIGHTNESS = np.array([[0.2104542553, 0.7936177850, -0.0040720468]], np.float32)
_COLOURS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ],
    np.float32,
)


def blend(source: Planes, detail: Planes, recipe: Recipe) -> tuple[Planes, NDArray[np.bool_]]:
    """Add the dream's detail to the source.

    The result stays in 0..1, or in the source's own range where that is wider (HDR).

    Args:
        source: (1 or 3, pixels); a grey source takes the luminance of the detail.
        detail: (3, pixels), already multiplied by strength and mask.
        recipe: of which `colour` and `soft_clip` apply here.

    Returns:
        the result, of the source's shape, and where (pixels) there is detail: elsewhere the source
        must be kept, bit for bit.
    """
    changed = np.abs(detail).max(axis=0) > 0
    colour = _grey if len(source) == 1 else _CHANGES[recipe.colour]
    into_range = _soft if recipe.soft_clip else _hard
    with np.errstate(over="ignore", invalid="ignore"):  # non-finite pixels; they are kept
        return into_range(source, colour(source, detail)), changed


# The change that the detail makes, by colour mode.


def _grey(_source: Planes, detail: Planes) -> Planes:
    return _mix(LUMINANCE, detail)


def _full(_source: Planes, detail: Planes) -> Planes:
    return detail


def _luminance(_source: Planes, detail: Planes) -> Planes:
    """The same change for R, G and B, so that their differences stay."""
    return np.repeat(_mix(LUMINANCE, detail), 3, axis=0)


def _capped(source: Planes, detail: Planes) -> Planes:
    """All of the detail, but limits each pixel's chroma to the cap."""
    dreamt = source + detail
    grey = _mix(LUMINANCE, dreamt)
    dreamt -= grey
    most = np.abs(source - _mix(LUMINANCE, source)).sum(axis=0)
    share = CHROMA_CAP * most / np.maximum(np.abs(dreamt).sum(axis=0), _TINY)
    dreamt *= np.minimum(share, 1)
    dreamt += grey
    dreamt -= source
    return dreamt


def _source(source: Planes, detail: Planes) -> Planes:
    """OKLab's lightness of source + detail with the source's own a and b.

    With a and b fixed, a change of lightness is the same for the cube roots of all three cones.
    """
    seen = np.clip(source, 0, 1)
    own = _cone_roots(seen)
    dreamt = seen + detail
    np.clip(dreamt, 0, 1, out=dreamt)
    dreamt = _cone_roots(dreamt)
    dreamt -= own
    own += _mix(_LIGHTNESS, dreamt)
    np.multiply(own, own, out=dreamt)
    dreamt *= own
    linear = _mix(_COLOURS, dreamt)
    np.clip(linear, 0, 1, out=linear)
    encoded = _encode(linear)
    encoded -= seen
    return encoded


_CHANGES: dict[str, Callable[[Planes, Planes], Planes]] = {
    "full": _full,
    "capped": _capped,
    "luminance": _luminance,
    "source": _source,
}


def _cone_roots(encoded: Planes) -> Planes:
    """(3, pixels) in 0..1 → the cube roots L', M', S' of the cone responses of OKLab."""
    cones = _mix(_CONES, _decode(encoded))
    roots: Planes = np.cbrt(np.maximum(cones, 0, out=cones), out=cones)
    return roots


def _mix(matrix: Planes, planes: Planes) -> Planes:
    """`matrix @ planes`, without BLAS, whose own threads would compete with ours for the cores."""
    mixed = np.empty((len(matrix), planes.shape[1]), np.float32)
    part = np.empty(planes.shape[1], np.float32)
    for weights, total in zip(matrix, mixed, strict=True):
        np.multiply(planes[0], weights[0], out=total)
        for plane, weight in zip(planes[1:], weights[1:], strict=True):
            np.add(total, np.multiply(plane, weight, out=part), out=total)
    return mixed


def _decode(encoded: Planes) -> Planes:
    """The sRGB curve (IEC 61966-2-1) in 0..1 as the sum of its two segments: faster than a choice.

    Black is exactly 0: a rounding error would be visible after the cube root.
    """
    curve = _power_curve(np.maximum(encoded, _KNEE))
    curve -= _power_curve(np.full(1, _KNEE))
    line = np.minimum(encoded, _KNEE)
    line *= np.float32(1 / 12.92)
    curve += line
    return curve


def _power_curve(encoded: Planes) -> Planes:
    """The power segment of the sRGB curve, in place."""
    encoded += np.float32(0.055)
    encoded *= np.float32(1 / 1.055)
    return _power(encoded, 2.4)


def _encode(linear: Planes) -> Planes:
    curve = np.maximum(linear, np.float32(0.0031308))
    line = linear - curve
    line *= np.float32(12.92)
    _power(curve, 1 / 2.4)
    curve *= np.float32(1.055)
    curve -= np.float32(0.055)
    curve += line
    return curve


def _power(base: Planes, exponent: float) -> Planes:
    """`base` (≥ 0) to a power, in place. Via the logarithm it is faster than numpy's own power."""
    with np.errstate(divide="ignore"):
        np.log2(base, out=base)
    base *= np.float32(exponent)
    np.exp2(base, out=base)
    return base


# Clipping.


def _hard(source: Planes, change: Planes) -> Planes:
    result = source + change
    np.maximum(result, np.minimum(source, 0), out=result)
    np.minimum(result, np.maximum(source, 1), out=result)
    return result


def _soft(source: Planes, change: Planes) -> Planes:
    """Reduce a change as it nears black or white, which it never reaches.

    Of the range available in the direction of the change, the first half is passed unaltered; a
    larger change `c` becomes range − (range / 2)² / c. That is monotonic and smooth, and keeps the
    order of any two source values.
    """
    size = np.abs(change)
    direction = np.copysign(np.float32(0.5), change)
    half = np.float32(0.5) - source
    half *= direction
    half += np.float32(0.25 - LEVEL / 2)
    np.maximum(half, 0, out=half)
    faded: Planes = np.minimum(size, half)
    np.maximum(size, half, out=size)
    np.maximum(size, _TINY, out=size)
    faded += half
    half *= half
    half /= size
    faded -= half
    direction += direction
    faded *= direction
    faded += source
    return faded
