"""Feathering a selection, inwards only: pixels that are not selected stay unchanged."""

from __future__ import annotations

import numpy as np
import torch

from dreamlayer.compositing.pixels import Mask
from dreamlayer.runtime import interruption
from dreamlink.picture import Edges

STEPS = 16  # most steps from the edge to full; a wider feather is computed on coarser cells
BAND = 512  # least rows at a time, so that no memory is needed for several whole masks


def feather_mask(
    mask: Mask | None, size: tuple[int, int], width: float, edges: Edges
) -> Mask | None:
    """A mask that rises smoothly from 0 at the selection's edge to its own value inside.

    The selection is eroded step by step, by a square and a cross in turn, which gives octagons.
    The mean of all eroded masks rises with the distance from the selection's edge. So a selection
    thinner than the feather becomes faint, but does not vanish as with a blur.

    Args:
        mask: (height, width), or None if all is selected.
        size: (height, width).
        width: px, from the edge to where the mask is full again.
        edges: sides of the mask that are the picture's own; they are no edges of the selection.

    Returns:
        nowhere more than the mask; the mask itself if there is nothing to feather.
    """
    side = max(1, -(-int(width) // STEPS))
    steps = round(width / side)
    if steps == 0 or (mask is None and all(edges)):
        return mask
    full = np.broadcast_to(np.uint8(255), size) if mask is None else mask
    soft = np.empty(size, np.uint8)
    apron = (steps + 1) * side  # pixels further away do not affect a band
    band = -(-max(BAND, apron) // side) * side
    for top in range(0, size[0], band):
        interruption.check()
        begin, stop = max(0, top - apron), min(size[0], top + band + apron)
        own = edges._replace(
            top=edges.top if begin == 0 else True, bottom=edges.bottom if stop == size[0] else True
        )
        rows = slice(top - begin, top - begin + band)
        soft[top : top + band] = _soften_band(full[begin:stop], side, steps, own)[rows]
    return soft


def _soften_band(mask: Mask, side: int, steps: int, edges: Edges) -> Mask:
    cells = _cells(mask, side, edges)
    total = np.zeros(cells.shape, np.uint16)
    for step in range(steps):
        cells = _erode(_add_border(cells, edges), square=step % 2 == 0)
        total += cells
    depth = total.astype(np.float32) / (255 * steps)
    smooth = np.rint(depth * depth * (3 - 2 * depth) * 255).astype(np.uint8)
    height, width = mask.shape
    softened: Mask = np.minimum(_enlarge(smooth, side)[:height, :width], mask)
    return softened


def _cells(mask: Mask, side: int, edges: Edges) -> Mask:
    """The mean of each square of `side` pixels; squares beyond the mask are padded by `edges`."""
    if side == 1:
        return mask
    height, width = mask.shape
    mask = np.pad(mask, ((0, -height % side), (0, 0)), "edge" if edges.bottom else "constant")
    mask = np.pad(mask, ((0, 0), (0, -width % side)), "edge" if edges.right else "constant")
    squares = mask.reshape(mask.shape[0] // side, side, mask.shape[1] // side, side)
    means: Mask = (squares.sum(axis=(1, 3), dtype=np.uint32) // side**2).astype(np.uint8)
    return means


def _add_border(cells: Mask, edges: Edges) -> Mask:
    """Pad by one cell: equal to its neighbour at the picture's own edges, otherwise 0."""
    bordered = np.pad(cells, 1, "edge")
    for own, border in zip(
        edges, (bordered[:, 0], bordered[0], bordered[:, -1], bordered[-1]), strict=True
    ):
        if not own:
            border[...] = 0
    return bordered


def _erode(bordered: Mask, square: bool) -> Mask:
    """The minimum of each cell and its eight neighbours (`square`), or the four adjacent ones."""
    across = np.minimum(np.minimum(bordered[:, :-2], bordered[:, 1:-1]), bordered[:, 2:])
    outer = across if square else bordered[:, 1:-1]
    return np.minimum(np.minimum(outer[:-2], across[1:-1]), outer[2:])


def _enlarge(cells: Mask, side: int) -> Mask:
    """Enlarge each cell to `side` × `side` pixels, with smooth transitions."""
    if side == 1:
        return cells
    large = torch.nn.functional.interpolate(
        torch.from_numpy(cells)[None, None], scale_factor=side, mode="bilinear"
    )
    enlarged: Mask = large[0, 0].numpy()
    return enlarged
