"""Random views of a picture: turned, scaled, shifted, with noise.

A pattern that a network recognises only from one exact position looks like grain to a person. A
pattern that survives all of these transforms does look like something.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

TURN = 15.0  # degrees, to either side
ZOOM = 0.2  # larger or smaller by up to this fraction


@dataclass(frozen=True)
class ViewSampler:
    """Takes random views of `size` (h, w) px of a picture.

    Attributes:
        margin: (rows, columns) px of the picture around the part that will be kept; views are
            shifted by up to this.
        wrap: the picture has no margin but is periodic, and views begin anywhere in it.
        random: on the CPU, so that a seed means the same on every device.
    """

    size: tuple[int, int]
    margin: tuple[int, int]
    wrap: bool
    random: torch.Generator

    def view(self, picture: Tensor, noise: float) -> Tensor:
        """A view (1, 3, h, w) of a picture (1, 3, H, W), with normal noise of this deviation."""
        view = self.transformed(picture)
        return view + noise * torch.randn(view.shape, generator=self.random).to(view)

    def transformed(self, picture: Tensor) -> Tensor:
        """A view (1, 3, h, w) of a picture (1, 3, H, W), without noise.

        The picture is reflected beyond its edges. Differentiable with respect to the picture.
        """
        return self.transformed_with(picture, None)[0]

    def transformed_with(
        self, picture: Tensor, planes: Tensor | None, place: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """A view as of `transformed`, and planes (1, C, …, …) that cover the same in the same view.

        The planes may be coarser than the picture; so is their view. If `wrap`, they are as large.
        `place` is where the view lies, if that was drawn already (`placement`), and not `wrap`.
        """
        if self.wrap:
            picture, planes = self._crop_periodic(picture, planes)
        if place is None:
            place = self.placement((picture.shape[-2], picture.shape[-1]))
        place = place.to(picture.device)
        view = sampled(picture, place, self.size)
        if planes is None:
            return view, None
        coarse = [
            max(1, round(length * few / many))
            for length, few, many in zip(
                self.size, planes.shape[-2:], picture.shape[-2:], strict=True
            )
        ]
        return view, sampled(planes, place, (coarse[0], coarse[1]))

    def placement(self, shape: tuple[int, int]) -> Tensor:
        """Maps coordinates in a random view to those in a picture of (H, W) px: (2, 3), on the CPU.

        Draws from `random`.
        """
        turned, zoomed, down, right = (2 * torch.rand(4, generator=self.random) - 1).tolist()
        angle, zoom = math.radians(TURN * turned), 1 + ZOOM * zoomed
        cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
        (height, width), (rows, columns) = self.size, shape
        return torch.tensor(  # both range from -1 to 1
            [
                [
                    cosine * width / columns,
                    -sine * height / columns,
                    self._offset(1, right, columns),
                ],
                [sine * width / rows, cosine * height / rows, self._offset(0, down, rows)],
            ],
        )

    def _offset(self, axis: int, shift: float, length: int) -> float:
        return 2 * self.margin[axis] * shift / length

    def _crop_periodic(
        self, picture: Tensor, planes: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """A part of the view's size and margins of a periodic picture, from a random origin."""
        for axis, side, margin in zip((-2, -1), self.size, self.margin, strict=True):
            length = picture.shape[axis]
            start = int(torch.randint(length, (), generator=self.random))
            indices = torch.arange(start, start + side + 2 * margin) % length
            picture = picture.index_select(axis, indices.to(picture.device))
            if planes is not None:
                planes = planes.index_select(axis, indices.to(planes.device))
        return picture, planes


def sampled(picture: Tensor, place: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (1, C, H, W) at a grid of `size` (h, w) that `place` lays over it."""
    grid = F.affine_grid(place[None], [1, 3, *size], align_corners=False)
    return F.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)
