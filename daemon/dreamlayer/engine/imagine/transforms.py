"""A picture seen a little differently each time: turned, larger or smaller, shifted, under noise.

What a network sees only from one exact position is no picture of the thing; a person sees grain.
What survives all of these does look like something.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

TURN = 15.0  # degrees to either side
ZOOM = 0.2  # larger or smaller by up to so much


@dataclass(frozen=True)
class ViewSampler:
    """Takes random views of `size` (h, w) px of a picture.

    Attributes:
        margin: (rows, columns) px that the picture has around what will be kept of it: views are
            shifted by up to so much.
        wrap: the picture has no margin but goes on by its opposite edge, and the views begin
            anywhere in it.
        random: on the CPU, so that a seed means the same on every device.
    """

    size: tuple[int, int]
    margin: tuple[int, int]
    wrap: bool
    random: torch.Generator

    def view(self, picture: Tensor, noise: float) -> Tensor:
        """A view (1, 3, h, w) of a picture (1, 3, H, W), with normal noise of that deviation.

        What lies beyond the picture's edges is its reflection. Gradients flow to the picture.
        """
        if self.wrap:
            picture = self._unrolled(picture)
        turned, zoomed, down, right = (2 * torch.rand(4, generator=self.random) - 1).tolist()
        angle, zoom = math.radians(TURN * turned), 1 + ZOOM * zoomed
        cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
        (height, width), (rows, columns) = self.size, picture.shape[-2:]
        # From places in the view to places in the picture; both go from -1 to 1.
        place = torch.tensor(
            [
                [cosine * width / columns, -sine * height / columns, self._part(1, right, columns)],
                [sine * width / rows, cosine * height / rows, self._part(0, down, rows)],
            ],
            device=picture.device,
        )
        grid = F.affine_grid(place[None], [1, 3, height, width], align_corners=False)
        seen = F.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)
        return seen + noise * torch.randn(seen.shape, generator=self.random).to(seen)

    def _part(self, axis: int, shift: float, length: int) -> float:
        return 2 * self.margin[axis] * shift / length

    def _unrolled(self, picture: Tensor) -> Tensor:
        """The view's size and margins of an endless picture, from a random place on."""
        for axis, side, margin in zip((-2, -1), self.size, self.margin, strict=True):
            length = picture.shape[axis]
            start = int(torch.randint(length, (), generator=self.random))
            places = torch.arange(start, start + side + 2 * margin) % length
            picture = picture.index_select(axis, places.to(picture.device))
        return picture
