"""Terms: numbers per picture, each computed from the cells of one map.

An additive term is a sum over the cells of a map; its gradient can be computed tile by tile from
the cells alone. A term of a map as a whole (a class, the cosine to a guide) is made additive for
one step: its gradient at every cell, computed on the assembled map, is all that the tiles need
(`Objective.linearise`).

`objective.py` adds them up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.geometry import Window

LEAST_COSINE = (
    0.1  # lower limit of a cell's purity; with 0 an empty cell would never get a gradient
)
MATCHED_AT_ONCE = 4096  # cells compared with the guide's at a time, to limit memory


@dataclass(frozen=True)
class CellCentres:
    """Where cells or pixels lie in a window of a picture.

    Attributes:
        rows, columns: of the centres, float64, as fractions of the window: 0..1 within it.
        grid: (rows, columns) of cells on the window.
    """

    rows: Tensor
    columns: Tensor
    grid: tuple[int, int]


@dataclass(frozen=True)
class MapLocation:
    """The position of a tensor (1, C, h, w) of cells in its map.

    Attributes:
        cells: the window of the map that the tensor holds.
        counted: the window of all the cells that the objective counts.
        focus: maps a point of the picture, fractions (x, y) of its width and height, to the cell
            (row, column) centred nearest to it.
        centres: where cells of the map lie in the dreamed window; None: nobody will ask.
    """

    cells: Window
    counted: Window
    focus: Callable[[float, float], tuple[int, int]]
    centres: Callable[[Window], CellCentres] | None = None


MapLocations = Sequence[MapLocation] | Mapping[int, MapLocation]  # by map index


class Term(Protocol):
    """A number computed from one map."""

    additive: bool

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        """The sum over these cells if additive, else the value of the complete map; a scalar."""


@runtime_checkable
class CellTerm(Term, Protocol):
    """An additive term that also tells the cells' parts of its value."""

    def each(self, cells: Tensor) -> Tensor:
        """What each cell (1, C, h, w) adds to the value: (1, h, w)."""


@runtime_checkable
class DifferentiatedTerm(Term, Protocol):
    """A term that knows its gradient, which takes a third of autograd's time."""

    def backward(self, cells: Tensor, grad: Tensor) -> Tensor:
        """The gradient at each cell, from the gradient of the value (a scalar)."""


@runtime_checkable
class SparseTerm(DifferentiatedTerm, CellTerm, Protocol):
    """A term of some channels, which is computed of these alone: mostly a few of hundreds."""

    def used(self) -> set[int]:
        """Return the numbers of its channels."""

    def among(self, channels: Sequence[int]) -> SparseTerm:
        """The same term of a map that has only these of the channels, ascending."""


@dataclass(frozen=True)
class SquaresTerm:
    """The mean square of all activations: "more of whatever you see" (the 2015 notebook's L2)."""

    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.each(cells).sum()

    def each(self, cells: Tensor) -> Tensor:
        return cells.square().mean(dim=1)

    def backward(self, cells: Tensor, grad: Tensor) -> Tensor:
        """Bit-identical to autograd."""
        return cells * (2 * grad / cells.shape[1])


@dataclass(frozen=True)
class MeanTerm:
    """The mean activation of all channels."""

    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.each(cells).sum()

    def each(self, cells: Tensor) -> Tensor:
        return cells.mean(dim=1)


@dataclass(frozen=True)
class ChannelsTerm:
    """The mean activation of some channels: "more of this feature"."""

    channels: tuple[int, ...]
    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.each(cells).sum()

    def each(self, cells: Tensor) -> Tensor:
        if cells.device.type == "cpu":
            return cells[:, list(self.channels)].mean(dim=1)
        # A list would be sent to the card as indices, for which it would wait.
        return torch.stack([cells[:, channel] for channel in self.channels], 1).mean(dim=1)

    def backward(self, cells: Tensor, grad: Tensor) -> Tensor:
        """Bit-identical to autograd."""
        into = torch.zeros_like(cells)
        for channel in self.channels:
            into[:, channel] += grad / len(self.channels)
        return into

    def used(self) -> set[int]:
        return set(self.channels)

    def among(self, channels: Sequence[int]) -> ChannelsTerm:
        return ChannelsTerm(tuple(channels.index(channel) for channel in self.channels))


@dataclass(frozen=True)
class UnitTerm:
    """One channel of one cell: the cell nearest to the fractions (x, y) of the picture."""

    channel: int
    position: tuple[float, float]
    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        row, column = location.focus(*self.position)
        rows, columns = location.cells.rows, location.cells.columns
        if not (rows.start <= row < rows.stop and columns.start <= column < columns.stop):
            return cells.sum() * 0.0
        activation = cells[0, self.channel, row - rows.start, column - columns.start]
        return activation * location.counted.area  # cancels the mean over the cells taken later

    def each(self, cells: Tensor) -> Tensor:
        """Of no cell, as these do not know where they are."""
        return torch.zeros_like(cells[:, 0])


@dataclass(frozen=True)
class DirectionTerm:
    """Activation along a direction (C) in channel space, times the cosine to that direction.

    Source: the direction objectives of Lucid (Olah et al., Feature Visualization, 2017).
    """

    vector: Tensor
    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.each(cells).sum()

    def each(self, cells: Tensor) -> Tensor:
        vector: Tensor = (self.vector / self.vector.norm()).to(cells)[None, :, None, None]
        dot = (cells * vector).sum(dim=1)
        purity = F.cosine_similarity(cells, vector, dim=1)
        return dot * purity.clamp(min=LEAST_COSINE)


@dataclass(frozen=True)
class GuideTerm:
    """Every cell times the guide's cell (C, n) that it matches best (the 2015 notebook)."""

    features: Tensor
    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.each(cells).sum()

    def each(self, cells: Tensor) -> Tensor:
        guide = self.features.to(cells)
        flat = cells.flatten(2)[0]  # (C, cells)
        with torch.no_grad():
            best = [
                (guide.t() @ flat[:, first : first + MATCHED_AT_ONCE]).argmax(dim=0)
                for first in range(0, flat.shape[1], MATCHED_AT_ONCE)
            ]
        if not best:
            return flat.sum(dim=0).view(1, *cells.shape[-2:])
        return (flat * guide[:, torch.cat(best)]).mean(dim=0).view(1, *cells.shape[-2:])


@dataclass(frozen=True)
class CosineTerm:
    """The cosine between the mean activations of the map and of the guide (C): the same mixture."""

    features: Tensor
    additive = False

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        cosine: Tensor = F.cosine_similarity(
            cells.mean(dim=(0, 2, 3)), self.features.to(cells), dim=0
        )
        return cosine


@dataclass(frozen=True)
class LogitTerm:
    """One logit of the classifier: how strongly the network recognises a class in the whole map."""

    logits: Callable[[Tensor], Tensor]
    class_index: int
    additive = False

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        return self.logits(cells)[0, self.class_index]


@dataclass(frozen=True)
class LinearTerm:
    """A term of the whole map, linear for one step: its gradient (1, C, h, w) at counted cells."""

    grad: Tensor
    additive = True

    def value(self, cells: Tensor, location: MapLocation) -> Tensor:
        own = location.cells.slices(location.counted.origin)
        return (cells * self.grad[own]).sum() * location.counted.area
