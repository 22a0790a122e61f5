"""A dream map decoded: from a picture of flat colours to the shares of its regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from numpy.typing import NDArray
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.runtime import interruption
from dreamlayer.studio.map_colours import STEPS, Weights, colour_table, without_flat_mixtures
from dreamlayer.studio.source import SourceImage
from dreamlink.recipe.bindings import Binding, colour_text

RUN = 1 << 19  # pixels that are worked on at a time
SHARES_SIDE = 1024  # px, the most of the shares' longer side: few networks have more cells
PRESENT = 128  # 255ths; a colour that no pixel has by so much is not on the map
OPAQUE = 255


@dataclass(frozen=True)
class DreamMap:
    """What the colours of a map say about the dreamed window.

    Attributes:
        amount: (h, w) of the window, 255 = a bound colour; None: everywhere.
        shares: of the regions whose colours are on the map.
        painted: the same, but 0 where no bound colour is.
        missing: the bound colours that are not.
    """

    amount: pixels.Mask | None
    shares: ShareMap
    painted: ShareMap
    missing: Sequence[Binding]

    @property
    def note(self) -> str | None:
        """A sentence for the user about colours that are not on the map."""
        if not self.missing:
            return None
        names = ", ".join(colour_text(binding.colour) for binding in self.missing)
        return f"The dream map has nothing in {names} here, so that was not dreamed."


def read_dream_map(
    image: SourceImage, bindings: Sequence[Binding], size: tuple[int, int], wrap: bool
) -> DreamMap:
    """The regions of a map that is stretched over a window of `size` (h, w).

    Raises:
        ValueError: none of the bound colours is on it; with a sentence for the user.
    """
    colours = tuple(binding.colour for binding in bindings)
    table = without_flat_mixtures(colour_table(colours), _counts(image))
    amount, planes, present = _regions(image, table)
    numbers = [number for number, there in enumerate(present) if there]
    if not numbers:
        names = ", ".join(map(colour_text, colours))
        raise ValueError(
            f"The dream map has none of the bound colours, {names}, where you dream: paint with"
            " them, or bind the colours that it has."
        )
    if amount.shape != size:
        amount = _resized(amount, size)
    missing = [binding for binding, there in zip(bindings, present, strict=True) if not there]
    planes = planes[:, numbers]
    return DreamMap(
        None if amount.min() == OPAQUE else amount,
        ShareMap(_extended(planes), numbers, wrap),
        ShareMap(planes, numbers, wrap),
        missing,
    )


def _counts(image: SourceImage) -> NDArray[np.int64]:
    """How many pixels have each colour of the table."""
    counts = np.zeros(STEPS**3, np.int64)
    for rows in _row_runs(image, 1):
        counts += np.bincount(_indices(image, rows).ravel(), minlength=len(counts))
    return counts


def _regions(image: SourceImage, table: Weights) -> tuple[pixels.Mask, Tensor, list[bool]]:
    """The amounts (h, w), the regions' weights (1, R, rows, columns), and which regions there are.

    The weights are averaged over squares of pixels if the map is large.
    """
    height, width = image.raw.shape[:2]
    block = -(-max(height, width) // SHARES_SIDE)
    amount = np.empty((height, width), np.uint8)
    present = np.zeros(table.shape[1], bool)
    parts = []
    for rows in _row_runs(image, block):
        weights = table[_indices(image, rows)].astype(np.float32)
        opacity = pixels.read_alpha(image.raw[rows], image.layout)
        if opacity is not None:
            weights *= opacity[..., None]
        amount[rows] = np.rint(weights.sum(axis=-1)).clip(0, OPAQUE)
        present |= (weights >= PRESENT).any(axis=(0, 1))
        parts.append(_averaged(weights, block))
    planes = np.concatenate(parts).transpose(2, 0, 1)[None] / np.float32(OPAQUE)
    return amount, torch.from_numpy(np.ascontiguousarray(planes)), present.tolist()


def _averaged(weights: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Weights (h, w, R) averaged over squares of `block` pixels; there are none beyond the edge."""
    if block == 1:
        return weights
    down, right = (-length % block for length in weights.shape[:2])
    padded = np.pad(weights, ((0, down), (0, right), (0, 0)))
    rows, columns = (length // block for length in padded.shape[:2])
    averages: NDArray[np.float32] = padded.reshape(rows, block, columns, block, -1).mean((1, 3))
    return averages


def _indices(image: SourceImage, rows: slice) -> NDArray[np.intp]:
    """The row of the table for each pixel of some rows."""
    raw, layout = image.raw[rows], image.layout
    if layout.depth == "U8" and layout.curve == "srgb" and layout.samples > 2:
        order = (2, 1, 0) if layout.order == "BGRA" else (0, 1, 2)
        steps = [(raw[..., sample] // (256 // STEPS)).astype(np.intp) for sample in order]
    else:
        colours = pixels.for_network(pixels.read_colours(raw, layout))
        steps = [np.rint(plane * 255).astype(np.intp) // (256 // STEPS) for plane in colours]
    return (steps[0] * STEPS + steps[1]) * STEPS + steps[2]


def _resized(amount: pixels.Mask, size: tuple[int, int]) -> pixels.Mask:
    values = torch.from_numpy(amount)[None, None].float()
    resized = F.interpolate(values, size, mode="bilinear", antialias=True)[0, 0]
    return resized.round().clamp(0, OPAQUE).byte().numpy()


def _extended(weights: Tensor) -> Tensor:
    """Shares (1, R, h, w) that add up to 1, from weights that add up to 1 at most.

    Where no region is, those that are nearest count: what is around a region, and seen together
    with it, belongs to it.
    """
    total = weights.sum(dim=1, keepdim=True)
    if max(weights.shape[-2:]) == 1 or total.min() >= 1:
        return weights / total.clamp_min(1e-6)
    pooled = F.avg_pool2d(weights, 2, ceil_mode=True)
    # A single pixel of four counts as all, so that the nearest region has most of it.
    coarse = _extended(pooled / pooled.sum(dim=1, keepdim=True).clamp_min(0.25))
    around = F.interpolate(coarse, weights.shape[-2:], mode="bilinear")
    around = around / around.sum(dim=1, keepdim=True).clamp_min(1e-6)
    return weights + (1 - total).clamp_min(0) * around


def _row_runs(image: SourceImage, multiple: int) -> Iterator[slice]:
    """Slices of a multiple of rows, about `RUN` pixels each."""
    height, width = image.raw.shape[:2]
    rows = max(1, RUN // width // multiple) * multiple
    for top in range(0, height, rows):
        interruption.check()
        yield slice(top, top + rows)
