"""OKLab as published by Björn Ottosson (2020), in its simplest form: a reference for our own."""

import numpy as np

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(encoded):
    """(3, pixels) sRGB-encoded in 0..1 → L, a, b."""
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return TO_LAB @ np.cbrt(TO_CONES @ linear)


def srgb(lab):
    """L, a, b → (3, pixels) sRGB-encoded, as an odd function below 0."""
    linear = np.linalg.inv(TO_CONES) @ (np.linalg.inv(TO_LAB) @ lab) ** 3
    size = np.abs(linear)
    curve = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(curve, linear)
