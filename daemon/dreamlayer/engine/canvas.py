"""The picture as the network sees it: shifted by the roll, continued by reflection at its edges.

A shift is an offset, not a copy: crops are taken from the picture through it, and gradients of
crops are added back through it. The reflection is only seen: its gradient is not added to the
pixels that it mirrors, or the edges would dream twice as much as the middle. The canvas has one
size for all shifts: the picture's plus `margin`.

        margin = 3, shift = 1        . r | p i c t u r e | r .
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from dreamlayer.engine.tiles import Window


@dataclass(frozen=True)
class Canvas:
    """A picture of `height` × `width` pixels, laid `shift` (rows, columns) into its canvas."""

    height: int
    width: int
    margin: int = 0
    shift: tuple[int, int] = (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        return self.height + self.margin, self.width + self.margin

    def place(self, window: Window) -> Window:
        """Where a window of the picture lies in the canvas."""
        return Window(window.rows.moved(self.shift[0]), window.columns.moved(self.shift[1]))

    def take(self, picture: Tensor, crop: Window) -> Tensor:
        """The canvas's pixels in `crop`, from a picture (1, C, height, width)."""
        rows, columns = self._sources(crop)
        if _is_run(rows) and _is_run(columns):
            return picture[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        device = picture.device
        return picture.index_select(-2, _index(rows, device)).index_select(
            -1, _index(columns, device)
        )

    def add(self, total: Tensor, window: Window, crop: Window, part: Tensor) -> None:
        """Add `part`, the gradient of the pixels `take(crop)`, to `total`, that of `window`.

        What falls outside the window, or on the reflection, is dropped.
        """
        own = Window(crop.rows.moved(-self.shift[0]), crop.columns.moved(-self.shift[1]))
        both = Window(window.rows.common(own.rows), window.columns.common(own.columns))
        if both.area:
            into = (both.rows.slice(window.rows.start), both.columns.slice(window.columns.start))
            from_ = (both.rows.slice(own.rows.start), both.columns.slice(own.columns.start))
            total[(..., *into)] += part[(..., *from_)]

    def _sources(self, crop: Window) -> tuple[list[int], list[int]]:
        return (
            [_reflect(i - self.shift[0], self.height) for i in range(*crop.rows)],
            [_reflect(i - self.shift[1], self.width) for i in range(*crop.columns)],
        )


def _reflect(index: int, length: int) -> int:
    """Mirror an index into 0 … length − 1; the edge pixels are not repeated."""
    if length == 1:
        return 0
    index %= 2 * (length - 1)
    return min(index, 2 * (length - 1) - index)


def _is_run(indices: list[int]) -> bool:
    return indices[-1] - indices[0] == len(indices) - 1 and all(
        b - a == 1 for a, b in pairwise(indices)
    )


def _index(indices: list[int], device: torch.device) -> Tensor:
    return torch.tensor(indices, device=device)
