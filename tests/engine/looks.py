"""Dreaming in a test, and the measures of ENGINE.md that need no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamlayer.engine.dream import dream
from dreamlayer.engine.tiles import Window, whole
from dreamlink.recipe import Recipe

PICTURES = Path(__file__).parents[1] / "pictures"


def photo(name: str) -> Tensor:
    pixels = np.array(Image.open(PICTURES / name).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def dreamt(source: Tensor, network, recipe: Recipe, window: Window | None = None) -> Tensor:
    """The detail of a dream that is run to its end."""
    steps = dream(source, network, recipe, window or whole(*source.shape[-2:]))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value.detail


def _grey(picture: Tensor) -> np.ndarray:
    weights = torch.tensor([0.2126, 0.7152, 0.0722])
    return torch.tensordot(picture[0].float(), weights, ([0], [0])).numpy()


def high_frequencies(picture: Tensor) -> float:
    """Energy above 0.25 cycles a pixel."""
    grey = _grey(picture)
    grey = grey - grey.mean()
    hann = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    energy = np.abs(np.fft.fft2(grey * hann)) ** 2
    down, right = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])
    return float(energy[np.hypot(down, right) > 0.25].sum())


def chroma(picture: Tensor) -> float:
    """Mean distance of the colours from their grey."""
    return float(np.abs(picture[0].numpy() - _grey(picture)).mean())


def clipped(picture: Tensor) -> float:
    """Share of the samples that are black or white in 8 bit."""
    return float(((picture < 0.5 / 255) | (picture > 254.5 / 255)).float().mean())


def border_index(detail: Tensor, width: int = 8) -> float:
    """Mean |detail| of the outer pixels over that of the others."""
    size = detail.abs().mean(dim=1)[0]
    inner = size[width:-width, width:-width]
    outer = (size.sum() - inner.sum()) / (size.numel() - inner.numel())
    return float(outer / inner.mean())


def lattice_index(detail: Tensor, stride: int) -> float:
    """Autocorrelation at multiples of the stride over that half a stride beside them."""
    grey = detail.mean(dim=1)[0].double().numpy()
    spectrum = np.abs(np.fft.fft2(np.abs(grey) - np.abs(grey).mean(), [2 * s for s in grey.shape]))
    correlation = np.fft.ifft2(spectrum**2).real
    on = off = 0.0
    for line in (correlation[0], correlation[:, 0]):
        for multiple in range(2, 6):
            on += line[multiple * stride]
            off += (
                line[multiple * stride - stride // 2] + line[multiple * stride + stride // 2]
            ) / 2
    return on / off


def seam_index(detail: Tensor, side: int) -> float:
    """Mean |difference| of neighbours across tile borders over that elsewhere."""
    steps = (detail[..., 1:] - detail[..., :-1]).abs().mean(dim=(0, 1, 2))
    at_border = torch.zeros(steps.shape[0], dtype=torch.bool)
    at_border[side - 1 :: side] = True
    return float(steps[at_border].mean() / steps[~at_border].mean())


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity (Wang et al., 2004) of the grey pictures, 8×8 windows."""
    x, y = (torch.from_numpy(_grey(p))[None, None] for p in (a, b))

    def mean(p: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(p, 8, 1)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(
        ((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()
    )
