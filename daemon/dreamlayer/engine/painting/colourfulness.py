"""How colourful a picture is: a painted dream shall not add colours to a picture without any."""

from __future__ import annotations

import torch
from torch import Tensor

CHROMA = ((-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # Cb and Cr of JPEG
COLOURFUL = 0.06  # RMS of Cb and Cr; photos in tests/pictures have 0.064 to 0.31, a sketch 0.018
LEAST = 0.2  # a touch of colour, also for a picture without any


def colourfulness(picture: Tensor) -> float:
    """0.2 for a grey picture (1, 3, h, w), R, G, B in 0..1, up to 1 for a colourful photo."""
    samples = torch.nan_to_num(picture.float().flatten(2)[0], 0.0, 1.0, 0.0).clamp(0, 1)
    chroma = torch.tensor(CHROMA, device=samples.device) @ samples
    rms = float(chroma.square().sum(dim=0).mean().sqrt())
    return min(1.0, max(LEAST, rms / COLOURFUL))
