"""The soft edge of a selection, inwards only: what is not selected stays untouched."""

from __future__ import annotations

import numpy as np
import torch

from dreamlayer.compositing.pixels import Mask
from dreamlink.picture import Edges

STEPS = 16  # most steps from the edge to full; a wider feather is made on coarser cells
BAND = 512  # rows at a time, at least: no room is needed for several masks


def feather_mask(
    mask: Mask | None, size: tuple[int, int], width: float, edges: Edges
) -> Mask | None:
    """A mask that rises smoothly from 0 at the selection's edge to its own value inside.

    The selection is eroded step by step, by a square and by a cross in turn, which makes octagons;
    the mean of what is left after each step falls with the distance from what is not selected. So
    a selection thinner than the feather becomes faint, but does not vanish as with a blur.

    Args:
        mask: (height, width), or None if all is selected.
        size: (height, width).
        width: px, from the edge to where the mask is full again.
        edges: which sides of the mask are the picture's own: there is no edge of a selection.

    Returns:
        nowhere more than the mask; the mask itself if there is nothing to soften.
    """
    side = max(1, -(-int(width) // STEPS))
    steps = round(width / side)
    if steps == 0 or (mask is None and all(edges)):
        return mask
    full = np.broadcast_to(np.uint8(255), size) if mask is None else mask
    soft = np.empty(size, np.uint8)
    apron = (steps + 1) * side  # what is decided further off does not reach a band
    band = -(-max(BAND, apron) // side) * side
    for top in range(0, size[0], band):
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
    """The mean of each square of `side` pixels; those that stick out see what lies there."""
    if side == 1:
        return mask
    height, width = mask.shape
    mask = np.pad(mask, ((0, -height % side), (0, 0)), "edge" if edges.bottom else "constant")
    mask = np.pad(mask, ((0, 0), (0, -width % side)), "edge" if edges.right else "constant")
    squares = mask.reshape(mask.shape[0] // side, side, mask.shape[1] // side, side)
    means: Mask = (squares.sum(axis=(1, 3), dtype=np.uint32) // side**2).astype(np.uint8)
    return means


def _add_border(cells: Mask, edges: Edges) -> Mask:
    """With one cell more on each side: like its neighbour at the picture's own edge, else 0."""
    bordered = np.pad(cells, 1, "edge")
    for own, border in zip(
        edges, (bordered[:, 0], bordered[0], bordered[:, -1], bordered[-1]), strict=True
    ):
        if not own:
            border[...] = 0
    return bordered


def _erode(bordered: Mask, square: bool) -> Mask:
    """The least of each cell and its eight neighbours, or the four at its sides."""
    across = np.minimum(np.minimum(bordered[:, :-2], bordered[:, 1:-1]), bordered[:, 2:])
    outer = across if square else bordered[:, 1:-1]
    return np.minimum(np.minimum(outer[:-2], across[1:-1]), outer[2:])


def _enlarge(cells: Mask, side: int) -> Mask:
    """Each cell `side` pixels wide and high, with smooth transitions."""
    if side == 1:
        return cells
    large = torch.nn.functional.interpolate(
        torch.from_numpy(cells)[None, None], scale_factor=side, mode="bilinear"
    )
    enlarged: Mask = large[0, 0].numpy()
    return enlarged
