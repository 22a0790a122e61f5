"""A kind of things as a term: the channels that count for it, each measured by its usual range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine.objectives.terms import MapLocation

FLOORS = {"everywhere": 0.05, "sparse": 0.5}  # of the energy in the logarithm
SPREADS = ("one", *FLOORS)


@dataclass(frozen=True)
class KindTerm:
    """How much of a kind is in the cells.

        z = max(0, (a − mean) / spread) for each channel    E = mean of z² over the channels

    Of several kinds each cell counts its largest E, so that it grows what it resembles most. The
    sum of E over the cells lets the clearest thing grow, and it alone: "one". The sum of
    log(E + floor) counts every place alike, so that things grow all over the picture, the sparser
    the higher the floor.

    Attributes:
        channels: (S, K) numbers of channels, for S kinds.
        means, spreads: (S, K), their mean and standard deviation over photos.
        floor: > 0, or None for the sum of E.
    """

    channels: Tensor
    means: Tensor
    spreads: Tensor
    floor: float | None
    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.each(cells).sum()

    def each(self, cells: Tensor) -> Tensor:
        energy = self._excess(cells).square().mean(dim=2).amax(dim=1)
        return energy if self.floor is None else (energy + self.floor).log()

    def backward(self, cells: Tensor, grad: Tensor) -> Tensor:
        """The gradient at each cell, from the gradient of the value (a scalar)."""
        excess = self._excess(cells)
        energy, winner = excess.square().mean(dim=2, keepdim=True).max(dim=1, keepdim=True)
        slope = excess * (2 / self.channels.shape[1]) / self._columns(self.spreads, cells)
        if self.floor is not None:
            slope /= energy.add_(self.floor)
        into = torch.zeros_like(cells)
        if len(self.channels) == 1:  # it wins everywhere
            into[:, self.channels[0].to(cells.device)] += slope[:, 0] * grad
            return into
        for number, channels in enumerate(self.channels.to(cells.device)):
            into[:, channels] += slope[:, number] * (winner[:, 0] == number) * grad
        return into

    def used(self) -> set[int]:
        return set(self.channels.flatten().tolist())

    def among(self, channels: Sequence[int]) -> KindTerm:
        return replace(self, channels=torch.searchsorted(torch.tensor(channels), self.channels))

    def _excess(self, cells: Tensor) -> Tensor:
        """Z (1, S, K, h, w)."""
        chosen = cells[:, self.channels.to(cells.device)]
        means, spreads = self._columns(self.means, cells), self._columns(self.spreads, cells)
        return ((chosen - means) / spreads).clamp_min(0)

    def _columns(self, values: Tensor, cells: Tensor) -> Tensor:
        return values.to(cells)[None, :, :, None, None]
