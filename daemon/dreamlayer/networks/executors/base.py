"""The interface of all executors, and of one pass of a network over one crop."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

from torch import Tensor

from dreamlayer.networks.program.convolution import Box, Pair


class Pass(Protocol):
    """The maps of one crop (1, 3, H, W), and the state that its gradient needs.

    Attributes:
        maps: the requested cells (1, C, h, w) of each map, in the order of the network's layers.
    """

    @property
    def maps(self) -> tuple[Tensor, ...]: ...

    def backward(self, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient (1, 3, h, w) at the kept pixels, given the gradient of each map.

        Args:
            grads: one a map, of the shape of the map in `maps`.

        May be called once: it frees the state kept from the forward pass.
        """


class Executor(ABC):
    """Runs one network, forward and backward; the network's weights get no gradient.

    Pictures are (1, 3, H, W), R, G, B in 0..1. All executors compute the same function; they differ
    in speed, memory and rounding.

    Attributes:
        name: short, for status output and benchmarks.
        grain: px; a crop that begins on multiples of it gets the same numbers as the whole picture.
        on_card: whether a graphics card that torch does not know runs it, from and to tensors on
            the CPU.
    """

    name: str
    grain: int = 1
    on_card: bool = False

    @abstractmethod
    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> Pass:
        """Run the network forward and keep the state that the gradient needs.

        Args:
            x: the picture, or a crop of it that begins on a multiple of the grain.
            outputs: the cells of each map to return; None: all.
            inputs_kept: the pixels whose gradient `Pass.backward` returns; None: all.
        """

    @abstractmethod
    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        """Return the cells `outputs` of each map, the same numbers as `run`, keeping no state."""

    @property
    @abstractmethod
    def bytes_per_pixel(self) -> float:
        """The bytes that a pass takes for each pixel of its crop, without the picture itself."""

    def gradient_dependencies(
        self, axis: int, length: int, pixels: Pair
    ) -> tuple[Pair, tuple[Pair, ...]] | None:
        """Return what the gradient at some pixels depends on, to the last bit.

        Args:
            axis: 0 for rows, 1 for columns.
            length: px of the picture along the axis.
            pixels: from the first to the second − 1.

        Returns:
            the pixels of the picture and the cells of each map; None if these are exactly the
            receptive fields, as for executors that round every cell on its own.
        """
        return None

    def pixel_dependencies(self, axis: int, length: int, cells: Sequence[Pair]) -> Pair | None:
        """Return the pixels on which some cells of each map depend, to the last bit.

        Args:
            axis, length: as for `gradient_dependencies`.
            cells: of each map, from the first to the second − 1.

        None if these are exactly the receptive fields.
        """
        return None

    def run_step(self, key: Hashable, work: Callable[[], None], pixels: int) -> None:
        """Do a whole step of a dream, which runs this network within; a card may record it.

        Args:
            key: stands for all that the step depends on but the numbers in its tensors.
            work: changes tensors in place; reads no number back, and may be done any time again.
            pixels: of all crops that the network sees in it.
        """
        work()

    def forget_steps(self) -> None:  # noqa: B027 - most executors record nothing
        """Drop the steps that `run_step` recorded, and the tensors that they hold."""

    def largest_area(self) -> float:
        """The pixels that a crop may have, so that a card has time for other programs."""
        return math.inf

    def release(self) -> None:  # noqa: B027 - most executors hold no memory between passes
        """Give memory that no pass is using back to the system. Any thread may call it."""


def area(x: Tensor) -> int:
    """Return the number of pixels of a picture (…, H, W)."""
    return x.shape[-2] * x.shape[-1]


def cut_out(x: Tensor, box: Box) -> Tensor:
    """Return the cells of a box, a view."""
    (top, bottom), (left, right) = box
    return x[..., top:bottom, left:right]
