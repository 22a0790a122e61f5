"""Raw pixels of the wire ↔ float planes: sample order, bit depth, transfer curve.

Planes are sRGB-encoded, R, G, B or one grey, float32. They are not confined to 0..1: what lies
outside (HDR, wide gamut) survives, only the network sees it clipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamlink.messages import Frame
from dreamlink.picture import Picture

Raw = NDArray[Any]  # (height, width, samples) as on the wire
Plane = NDArray[np.float32]  # (height, width, 1 or 3)
Mask = NDArray[np.uint8]  # (height, width), 255 = all

_TYPES = {"U8": "<u1", "U16": "<u2", "F16": "<f2", "F32": "<f4"}
_COLOURS = {"RGBA": [0, 1, 2], "BGRA": [2, 1, 0], "RGB": [0, 1, 2], "GA": [0], "G": [0]}
_ALPHA = {"RGBA": 3, "BGRA": 3, "GA": 1}


def view(frame: Frame, picture: Picture) -> Raw:
    """The frame as an array (height, width, samples) of its own type, without a copy."""
    samples: Raw = np.frombuffer(frame, dtype=_TYPES[picture.depth])
    return samples.reshape(picture.height, picture.width, picture.samples)


def view_mask(frame: Frame, height: int, width: int) -> Mask:
    return np.frombuffer(frame, dtype=np.uint8).reshape(height, width)


def colours(raw: Raw, picture: Picture) -> Plane:
    """The colours as sRGB-encoded planes."""
    chosen = raw[..., _COLOURS[picture.order]].astype(np.float32)
    if picture.depth.startswith("U"):
        chosen /= _top(raw)
    return _encoded(chosen) if picture.curve == "linear" else chosen


def for_network(planes: Plane) -> Plane:
    """(height, width, 3) in 0..1 and finite, as networks were trained on."""
    clean = np.clip(np.nan_to_num(planes, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return np.repeat(clean, 3, axis=-1) if clean.shape[-1] == 1 else clean


def replaced(raw: Raw, picture: Picture, result: Plane, changed: NDArray[np.bool_]) -> Raw:
    """A copy of `raw` with the colours of `result` where `changed`, untouched elsewhere.

    Args:
        raw: (height, width, samples).
        result: (height, width, 1 or 3), sRGB-encoded.
        changed: (height, width).
    """
    samples = _decoded(result) if picture.curve == "linear" else result
    if picture.depth.startswith("U"):
        samples = np.rint(np.clip(samples, 0.0, 1.0) * _top(raw))
    fresh = raw.copy()
    order = _COLOURS[picture.order]
    fresh[..., order] = np.where(changed[..., None], samples.astype(raw.dtype), raw[..., order])
    return fresh


def clip_alpha(raw: Raw, picture: Picture, mask: Mask) -> None:
    """Multiply the alpha of `raw`, in place, with a mask (height, width) of 0..255."""
    alpha = raw[..., _ALPHA[picture.order]]
    if picture.depth.startswith("U"):
        alpha[...] = (alpha.astype(np.uint32) * mask + 127) // 255
    else:
        alpha[...] = np.where(mask == 255, alpha, alpha * (mask / np.float32(255)))


def _top(raw: Raw) -> np.float32:
    return np.float32(np.iinfo(raw.dtype).max)


def _encoded(linear: Plane) -> Plane:
    """The sRGB curve (IEC 61966-2-1), continued as an odd function below 0."""
    size = np.abs(linear)
    curve = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(curve, linear).astype(np.float32)


def _decoded(encoded: Plane) -> Plane:
    size = np.abs(encoded)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(linear, encoded).astype(np.float32)
