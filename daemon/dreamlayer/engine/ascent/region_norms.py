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
from torch import Tensor

from dreamlayer.engine.image.planes import Plane, exact_sum, strips
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.geometry import Window

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
        count = shares.planes.shape[1]
        sums: list[list[Tensor]] = [[] for _ in range(2 * count)]
        for strip in strips(size, device=shares.planes.device):
            weights = shares.at_pixels(size, strip)
            if mask is not None:
                weights = weights * mask.read(strip)
            sizes = gradient(strip).abs().mean(dim=1, keepdim=True) * weights
            for number in range(count):
                sums[number].append(sizes[:, number].sum(dim=-1))
                sums[count + number].append(weights[:, number].sum(dim=-1))
        totals = [exact_sum(rows) for rows in sums]
        both = zip(totals[:count], totals[count:], strict=True)
        return cls(shares, size, tuple(total / area if area > 0 else 0.0 for total, area in both))

    def factors(self, strip: Window, boosts: Sequence[float] = ()) -> Tensor:
        """What to multiply a strip of the gradient by, (1, 1, rows, columns).

        `boosts`: further factors, one a region.
        """
        least = LEAST_NORM * max(self.means)
        scales = [1 / max(mean, least) if mean > 0 else 0.0 for mean in self.means]
        if boosts:
            scales = [scale * boost for scale, boost in zip(scales, boosts, strict=True)]
        shares = self.shares.at_pixels(self.size, strip)
        factors = torch.zeros_like(shares[:, :1])
        for number, scale in enumerate(scales):
            factors += shares[:, number : number + 1] * scale
        return factors
