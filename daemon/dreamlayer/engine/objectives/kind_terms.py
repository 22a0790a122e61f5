"""A kind of things as a term: the channels that count for it, each measured by its usual range."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.objectives.terms import MapLocation

FLOORS = {"everywhere": 0.05, "sparse": 0.5}  # of the energy in the logarithm
SPREADS = ("one", *FLOORS)


@dataclass(frozen=True)
class KindTerm:
    """How much of a kind is in the cells.

        z = max(0, (a − mean) / spread) for each channel    E = mean of z² over the channels

    The sum of E over the cells lets the clearest thing grow, and it alone: "one". The sum of
    log(E + floor) counts every place alike, so that things grow all over the picture, the sparser
    the higher the floor.

    Attributes:
        channels: (K) numbers of channels.
        means, spreads: (K), their mean and standard deviation over photos.
        floor: > 0, or None for the sum of E.
    """

    channels: Tensor
    means: Tensor
    spreads: Tensor
    floor: float | None
    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        energy = self._excess(cells).square().mean(dim=1)
        return energy.sum() if self.floor is None else (energy + self.floor).log().sum()

    def backward(self, cells: Tensor, grad: Tensor) -> Tensor:
        """The gradient at each cell, from the gradient of the value (a scalar)."""
        excess = self._excess(cells)
        slope = excess * (2 / len(self.channels)) / self._column(self.spreads, cells)
        if self.floor is not None:
            slope /= excess.square().mean(dim=1, keepdim=True).add_(self.floor)
        into = torch.zeros_like(cells)
        into[:, self.channels.to(cells.device)] = slope * grad
        return into

    def _excess(self, cells: Tensor) -> Tensor:
        """Z (1, K, h, w)."""
        chosen = cells[:, self.channels.to(cells.device)]
        means, spreads = self._column(self.means, cells), self._column(self.spreads, cells)
        return ((chosen - means) / spreads).clamp_min(0)

    def _column(self, values: Tensor, cells: Tensor) -> Tensor:
        return values.to(cells)[None, :, None, None]
