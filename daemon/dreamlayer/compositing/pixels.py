"""Raw pixels of the wire ↔ float planes: sample order, bit depth, transfer curve.

Planes are sRGB-encoded, R, G, B or one grey, float32. Their values may exceed 0..1: HDR and wide
gamut survive, and only the network sees them clipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamlink.picture import Picture
from dreamlink.wire.messages import Frame

Raw = NDArray[Any]  # (…, samples) as on the wire
Planes = NDArray[np.float32]  # (1 or 3, …)
Mask = NDArray[np.uint8]  # (…), 255 = all

_TYPES = {"U8": "<u1", "U16": "<u2", "F16": "<f2", "F32": "<f4"}
_COLOURS = {"RGBA": (0, 1, 2), "BGRA": (2, 1, 0), "RGB": (0, 1, 2), "GA": (0,), "G": (0,)}
_ALPHA = {"RGBA": 3, "BGRA": 3, "GA": 1}


def view(frame: Frame, picture: Picture) -> Raw:
    """The frame as an array (height, width, samples) of its own type, without a copy."""
    samples: Raw = np.frombuffer(frame, dtype=_TYPES[picture.depth])
    return samples.reshape(picture.height, picture.width, picture.samples)


def view_mask(frame: Frame, height: int, width: int) -> Mask:
    return np.frombuffer(frame, dtype=np.uint8).reshape(height, width)


def read_colours(raw: Raw, picture: Picture) -> Planes:
    """The colours of (…, samples) as sRGB-encoded planes (1 or 3, …)."""
    order = _COLOURS[picture.order]
    planes = np.empty((len(order), *raw.shape[:-1]), np.float32)
    for plane, sample in zip(planes, order, strict=True):
        plane[...] = raw[..., sample]
    if picture.depth.startswith("U"):
        planes *= np.float32(1 / _top(raw))
    return _encode(planes) if picture.curve == "linear" else planes


def read_alpha(raw: Raw, picture: Picture) -> NDArray[np.float32] | None:
    """The opacity (…) in 0..1, or None for a layout without alpha; NaN counts as 0."""
    if picture.order not in _ALPHA:
        return None
    plane = raw[..., _ALPHA[picture.order]].astype(np.float32)
    if picture.depth.startswith("U"):
        plane *= np.float32(1 / _top(raw))
        return plane
    return np.clip(np.nan_to_num(plane, copy=False, nan=0.0), 0.0, 1.0)


def for_network(planes: Planes) -> Planes:
    """Network input: (3, …), clamped to 0..1 and finite, as in training."""
    clean = np.clip(np.nan_to_num(planes, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return np.repeat(clean, 3, axis=0) if len(clean) == 1 else clean


def count_non_finite(raw: Raw, picture: Picture) -> int:
    """The number of pixels of (rows, …, samples) that have a NaN or infinite colour."""
    if picture.depth.startswith("U"):
        return 0
    colours = list(_COLOURS[picture.order])
    return sum(int((~np.isfinite(row[..., colours])).any(axis=-1).sum()) for row in raw)


def write_colours(
    raw: Raw,
    picture: Picture,
    planes: Planes,
    changed: NDArray[np.bool_],
    noise: NDArray[np.float32] | float = 0.0,
) -> None:
    """Write colours to `raw`, in place, where `changed`; non-finite pixels are kept.

    Args:
        raw: (…, samples).
        planes: (1 or 3, …), sRGB-encoded.
        changed: (…).
        noise: dither within ±0.5, added before rounding to integers.
    """
    values = _decode(planes) if picture.curve == "linear" else planes
    if picture.depth.startswith("U"):
        top = _top(raw)
        values = values * top
        values += noise
        np.rint(np.clip(values, 0.0, top, out=values), out=values)
    else:
        changed = changed & np.isfinite(planes).all(axis=0)
    everywhere = bool(changed.all())
    for plane, sample in zip(values, _COLOURS[picture.order], strict=True):
        with np.errstate(over="ignore", invalid="ignore"):  # of pixels that are kept
            fresh = plane.astype(raw.dtype)
        raw[..., sample] = fresh if everywhere else np.where(changed, fresh, raw[..., sample])


def write_alpha(raw: Raw, picture: Picture, opacity: NDArray[np.float32]) -> None:
    """Write opacities (…) in 0..1 to `raw`, in place."""
    if picture.depth.startswith("U"):
        opacity = np.rint(opacity * _top(raw))
    raw[..., _ALPHA[picture.order]] = opacity.astype(raw.dtype)


def add_opacity(raw: Raw, picture: Picture, amount: NDArray[np.float32]) -> None:
    """Make `raw` more opaque, in place: an amount (…) of 0 changes nothing, 1 or more is opaque."""
    opacity = raw[..., _ALPHA[picture.order]]
    top = float(_top(raw)) if picture.depth.startswith("U") else 1.0
    missing = (top - opacity) * np.clip(amount, 0.0, 1.0)
    if picture.depth.startswith("U"):
        missing = np.rint(missing)
    else:
        missing[~np.isfinite(missing)] = 0.0
    opacity[...] = (opacity + missing).astype(raw.dtype)


def multiply_alpha(raw: Raw, picture: Picture, mask: Mask) -> None:
    """Multiply the alpha of `raw`, in place, by a mask (…) of 0..255."""
    opacity = raw[..., _ALPHA[picture.order]]
    if picture.depth.startswith("U"):
        opacity[...] = (opacity.astype(np.uint32) * mask + 127) // 255
    else:
        opacity[...] = np.where(mask == 255, opacity, opacity * (mask / np.float32(255)))


def _top(raw: Raw) -> np.float32:
    return np.float32(np.iinfo(raw.dtype).max)


def _encode(linear: Planes) -> Planes:
    """The sRGB curve (IEC 61966-2-1), continued as an odd function below 0."""
    size = np.abs(linear)
    curve = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(curve, linear).astype(np.float32)


def _decode(encoded: Planes) -> Planes:
    size = np.abs(encoded)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(linear, encoded).astype(np.float32)
