"""A norm of the gradient for each region of a dream map, so that all dream equally strongly.

With one norm for the whole picture (see `ascent.py`) the objective with the largest gradient would
take all of a step. A region is what the user has painted, not a tile: it is the same for any tiles,
and between two regions the norm changes gradually, as their shares do.

    step = step_size · Σ_r share_r · g / mean_r|g|      mean_r: weighted by share_r and the mask
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.engine.image.planes import Plane, exact_sum, strips
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.geometry import Window

BLOCK = 8  # px; shares change over 64, so sums of blocks tell as much
LEAST_NORM = 0.02  # of the largest; a region whose objective finds nothing shows no amplified noise


@dataclass(frozen=True)
class RegionNorms:
    """The mean magnitude of a gradient (1, 3, h, w) in each region.

    Attributes:
        shares: of the regions in the gradient's window.
        size: (h, w) px of it.
        means: one a region, ≥ 0.
    """

    shares: ShareMap
    size: tuple[int, int]
    means: tuple[float, ...]

    @classmethod
    def of(
        cls,
        shares: ShareMap,
        size: tuple[int, int],
        gradient: Callable[[Window], Tensor],
        mask: Plane | None = None,
    ) -> RegionNorms:
        """Measure a gradient.

        Args:
            gradient: reads (1, 3, rows, columns) of it.
            mask: (1, 1, h, w), 0..1, the weight of each pixel.
        """
        sums: list[Tensor] = []
        for strip in strips(size, device=shares.planes.device):
            some = gradient(strip).abs().sum(dim=1, keepdim=True)
            if mask is None:
                areas = _block_areas(strip, some)
            else:
                weights = mask.read(strip)
                areas, some = _block_sums(weights), some.mul_(weights)
            both = torch.stack([_block_sums(some) / 3, areas])
            sums.append((both[:, None] * shares.at_blocks(size, strip, BLOCK)).sum(dim=-1))
        means = []
        for number in range(shares.planes.shape[1]):
            total, area = (exact_sum(rows[which, number] for rows in sums) for which in (0, 1))
            means.append(total / area if area > 0 else 0.0)
        return cls(shares, size, tuple(means))

    def factors(self, strip: Window, boosts: Sequence[float] = ()) -> Tensor:
        """What to multiply a strip of the gradient by, (1, 1, rows, columns).

        `boosts`: further factors, one a region.
        """
        least = LEAST_NORM * max(self.means)
        scales = [1 / max(mean, least) if mean > 0 else 0.0 for mean in self.means]
        if boosts:
            scales = [scale * boost for scale, boost in zip(scales, boosts, strict=True)]
        return self.shares.weighted_at_pixels(self.size, strip, scales)


def _block_sums(values: Tensor) -> Tensor:
    """The sums of values (1, 1, h, w) over blocks, smaller ones at the edges: (rows, columns)."""
    return F.avg_pool2d(values, BLOCK, ceil_mode=True, divisor_override=1)[0, 0]


def _block_areas(strip: Window, like: Tensor) -> Tensor:
    """The pixels of each block of a strip: (rows, columns)."""
    rows, columns = (
        [min(BLOCK, length - first) for first in range(0, length, BLOCK)] for length in strip.size
    )
    return like.new_tensor(rows)[:, None] * like.new_tensor(columns)
