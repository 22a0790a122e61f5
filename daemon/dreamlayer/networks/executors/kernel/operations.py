"""What a network is for the kernel: operations, forth and back, on maps that have their places."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dreamlayer.networks.program.convolution import Pair

GROUP = 16  # channels are held in groups of so many; steps.h
COLOURS = 3


class Uncovered(Exception):
    """The kernel has no operation for a step of the program."""


@dataclass(frozen=True)
class Place:
    """Some channels of a root: `depth` in whole groups, of which `channels` mean anything."""

    root: int
    first: int
    depth: int
    channels: int


@dataclass(frozen=True)
class Operation:
    """What gives the values, or the grads, at `target`.

    Attributes:
        kind: of kernel_library's.
        source: what it reads; None: the picture's planes, or (CLEAR) nothing.
        target: what it gives; for GRADIENT, cells that hold `block` × `block` pixels.
        finish: of kernel_library's.
        kernel, pace, padding: of the windows that it slides over what it reads; of those of the
            pool itself, for MAX_BACK and MEAN_BACK.
        ceil: for a pool, whether windows that only begin inside count.
        origin: where the tiles of WINOGRAD begin.
        weight: (out, in, rows, columns), for a window of the source; None where there are none.
        bias: (out).
        chosen: MAX_POOL and MAX_BACK: the root at whose cells it was written what was chosen.
        seed: the number of the map whose grads it brings in.
    """

    kind: int
    source: Place | None
    target: Place
    finish: int = 0
    kernel: Pair = (1, 1)
    pace: Pair = (1, 1)
    padding: Pair = (0, 0)
    ceil: bool = False
    count_padding: bool = False
    origin: Pair = (0, 0)
    weight: Tensor | None = None
    bias: Tensor | None = None
    chosen: int | None = None
    block: int = 1
    offset: Pair = (0, 0)
    scale: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Graph:
    """The operations of a network, in order.

    Attributes:
        forward, backward: the operations; in `backward`, places are of the grads.
        outputs: the places of the maps.
        depths: of each root.
        paces: pixels from one cell of each root to the next.
        marked: the roots whose marks ReLU writes; True where it does for all its channels.
    """

    forward: tuple[Operation, ...]
    backward: tuple[Operation, ...]
    outputs: tuple[Place, ...]
    depths: tuple[int, ...]
    paces: tuple[Pair, ...]
    marked: dict[int, bool]

    def sizes(self, length: int, axis: int) -> tuple[int, ...]:
        """Return the cells of each root along an axis of `length` pixels; ValueError if none."""
        found = [0] * len(self.depths)
        for one in self.forward:
            if one.source is None:
                found[one.target.root] = length
                continue
            found[one.target.root] = _size(one, found[one.source.root], axis)
            if found[one.target.root] < 1:
                raise ValueError("The picture is too small for the network.")
        return tuple(found)


def _size(one: Operation, length: int, axis: int) -> int:
    kernel_, pace, padding = one.kernel[axis], one.pace[axis], one.padding[axis]
    reach = length + 2 * padding - kernel_
    count = reach // pace + 1 if reach >= 0 else 0
    if one.ceil and reach % pace and count * pace < length + padding:
        count += 1
    return count
