"""One run of a network over one crop, from which gradients can be pulled back to the crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from dreamlayer.networks.program.convolution import Box


class Pass(Protocol):
    """What a network has seen in a crop (1, 3, H, W).

    Attributes:
        maps: the wanted cells (1, C, h, w) of each map, in the order of the network's layers.
    """

    @property
    def maps(self) -> tuple[Tensor, ...]: ...

    def pull_back(self, slopes: Sequence[Tensor]) -> Tensor:
        """Return the gradient (1, 3, h, w) at the pixels to keep, given that at each wanted cell.

        May be called once: what was kept for it is then let go.
        """


class AutogradPass:
    """A pass of any network that torch can differentiate."""

    def __init__(
        self,
        module: Callable[[Tensor], tuple[Tensor, ...]],
        x: Tensor,
        wanted: Sequence[Box] | None = None,
        keep: Box | None = None,
    ) -> None:
        """Run a network, of whose weights no gradient is wanted; see Network.run."""
        self._x, self._keep = x.detach().requires_grad_(True), keep
        with torch.enable_grad():
            self._recorded = module(self._x)
            if wanted is not None:
                self._recorded = tuple(map(cut_out, self._recorded, wanted))
        self.maps = tuple(cells.detach() for cells in self._recorded)

    def pull_back(self, slopes: Sequence[Tensor]) -> Tensor:
        recorded, self._recorded = self._recorded, ()
        (slope,) = torch.autograd.grad(recorded, self._x, list(slopes))
        return slope if self._keep is None else cut_out(slope, self._keep)


def cut_out(x: Tensor, box: Box) -> Tensor:
    """The cells of a box, a view."""
    (top, bottom), (left, right) = box
    return x[..., top:bottom, left:right]
