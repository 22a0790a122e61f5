"""One run of a network over one crop, from which gradients can be pulled back to the crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Pass(Protocol):
    """What a network has seen in a crop (1, 3, H, W).

    Attributes:
        maps: (1, C, h, w) each, in the order of the network's layers; nothing is recorded of how
            they came about that a change of them would disturb.
    """

    @property
    def maps(self) -> tuple[Tensor, ...]: ...

    def pull_back(self, slopes: Sequence[Tensor]) -> Tensor:
        """Return the gradient (1, 3, H, W) at the crop, given that at each map.

        May be called once: what was kept for it is then let go.
        """


class AutogradPass:
    """A pass of any network that torch can differentiate."""

    def __init__(self, module: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> None:
        """Run a network, of whose weights no gradient is wanted, over `x` (1, 3, H, W)."""
        self._x = x.detach().requires_grad_(True)
        with torch.enable_grad():
            self._recorded = module(self._x)
        self.maps = tuple(cells.detach() for cells in self._recorded)

    def pull_back(self, slopes: Sequence[Tensor]) -> Tensor:
        recorded, self._recorded = self._recorded, ()
        (slope,) = torch.autograd.grad(recorded, self._x, list(slopes))
        return slope
