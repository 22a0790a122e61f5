"""How much a dream speckles and shifts a picture: figures of its fine colours and its lightness."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

FINE = 1.5  # px; σ of the blur that fine chroma is the difference from
RADIUS = 5  # px
# The photos in tests/pictures have 1.1 to 4.5 levels at 400 px, a pencil sketch 0.25: with three
# levels it has a touch of sepia, and no speckle.
LEAST = 1.5 / 255
YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    dtype=torch.float64,
)  # JPEG's Y, Cb and Cr: luma, and two differences of colour


def fine_chroma(picture: Tensor) -> float:
    """RMS of the chroma of a picture (1, 3, H, W) that a blur of σ 1.5 px would remove, in 0..1."""
    chroma = torch.einsum("ij,bjhw->bihw", YCC, picture.double())[:, 1:]
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    taps = torch.exp(-(offsets**2) / (2 * FINE**2))
    taps = (taps / taps.sum()).repeat(2, 1, 1, 1)
    blurred = F.pad(chroma, (RADIUS,) * 4, mode="reflect")
    for weights in (taps, taps.transpose(-2, -1)):
        blurred = F.conv2d(blurred, weights, groups=2)
    return float((chroma - blurred).square().sum(dim=1).mean().sqrt())


def fine_chroma_ratio(source: Tensor, result: Tensor) -> float:
    """Fine chroma of a result over that of its source, which counts as at least `LEAST`.

    In a picture without colours any that a dream adds would be a multiple of them.
    """
    before = fine_chroma(source)
    return 1 + (fine_chroma(result) - before) / max(before, LEAST)


def luma_change(source: Tensor, result: Tensor) -> float:
    """How far the mean luma of the picture moved, in 0..1."""
    before, after = (torch.tensordot(YCC[0], p[0].double(), 1).mean() for p in (source, result))
    return float((after - before).abs())
