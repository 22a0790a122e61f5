"""What is amplified: a number per feature map, made of one term per unit.

An objective is declared before any network exists; it is given blocks of a layer's map and adds up
its terms over them. Being a sum over units is what makes the tiled gradient exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Objective(Protocol):
    """Terms of a sum over the cells of a map."""

    def total(self, cells: Tensor) -> Tensor:
        """The sum of the terms over a block (1, C, h, w) of the map, a scalar."""

    def check(self, channels: int, layer: str) -> None:
        """Raise ValueError, with a sentence, if a map of so many channels can't serve."""


@dataclass(frozen=True)
class WholeLayer:
    """The squares of all activations: "more of whatever you see" (the 2015 notebook's L2)."""

    def total(self, cells: Tensor) -> Tensor:
        return cells.square().mean(dim=1).sum()

    def check(self, channels: int, layer: str) -> None:
        return


@dataclass(frozen=True)
class Channels:
    """The mean activation of some channels: "more of this feature"."""

    numbers: tuple[int, ...]

    def total(self, cells: Tensor) -> Tensor:
        return cells[:, list(self.numbers)].mean(dim=1).sum()

    def check(self, channels: int, layer: str) -> None:
        beyond = [n for n in self.numbers if n >= channels]
        if beyond:
            raise ValueError(
                f"{layer} has the channels 0 to {channels - 1}; there is no channel {beyond[0]}."
            )


def objective(channels: Sequence[int]) -> Objective:
    """The objective for these channels of a layer; none means the whole layer."""
    return Channels(tuple(channels)) if channels else WholeLayer()
