"""Source + detail → result. Cheap, so it can be done again without dreaming again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamlayer.pixels import Mask, Plane

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709


def blend(
    source: Plane, detail: Plane, strength: float, mask: Mask | None = None
) -> tuple[Plane, NDArray[np.bool_]]:
    """Add what the network dreamed to the source.

    The result stays in 0..1, or in the source's own range where that is wider.

    Args:
        source: (height, width, 1 or 3), sRGB-encoded.
        detail: (height, width, 3), what the network added; a grey source takes its luminance.
        strength: 0 gives the source, 1 all of the detail.
        mask: (height, width), 255 = all of it, 0 = nothing; None is 255 everywhere.

    Returns:
        the result, of the source's shape, and where (height, width) it differs from the source.
    """
    added = detail if source.shape[-1] == 3 else detail @ LUMINANCE[:, None]
    added = added * np.float32(strength)
    if mask is not None:
        added = added * (mask[..., None] / np.float32(255))
    low, high = np.minimum(source, 0.0), np.maximum(source, 1.0)
    result: Plane = np.clip(source + added, low, high)
    finite = np.isfinite(source).all(axis=-1)
    return result, (added != 0).any(axis=-1) & finite
