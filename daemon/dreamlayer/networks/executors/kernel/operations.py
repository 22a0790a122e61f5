"""A network as the kernel runs it: operations, forward and backward, on slices of maps.

A root is a feature map with memory of its own. Concatenated values are slices of one root.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dreamlayer.networks.program.convolution import Pair

GROUP = 16  # channels are stored in groups of this size; see steps.h
COLOURS = 3


class UnsupportedStep(Exception):
    """The kernel has no operation for a step of the program."""


@dataclass(frozen=True)
class ChannelSlice:
    """Some channels of a root: `depth` in whole groups, the first `channels` of which are used."""

    root: int
    first: int
    depth: int
    channels: int


@dataclass(frozen=True)
class KernelOperation:
    """The computation of the values, or of the gradients, at `target`.

    Attributes:
        kind: one of the kinds in library.py, from PICTURE to DEPTHWISE_BACK.
        source: what it reads; None: the picture's planes, or (CLEAR) nothing.
        target: what it writes; for GRADIENT, cells of `block` × `block` pixels.
        finish: flags of library.py, from ADD to BOUND.
        kernel, stride, padding: of the windows over the source, with `padding` zeros in front of
            it; for kinds that end with BACK those of the forward operation.
        behind: zeros behind the source; backward operations don't need it.
        ceil: for a pool, whether windows that only begin inside count.
        count_padding: for a mean pool, whether the zeros beyond the edges count.
        origin: where the tiles of WINOGRAD begin.
        weight: (out, in, rows, columns), for a window of the source; for CONVOLVE_BACK, of the
            forward convolution's source, and for DEPTHWISE and DEPTHWISE_BACK (channels, 1, rows,
            columns) of the forward convolution; None where there is none.
        bias: (out).
        most: what BOUND allows.
        chosen: MAX_POOL and MAX_BACK: the root whose cells hold the recorded choices.
        block, offset: for GRADIENT, px of a block's side, and the padding in front of the picture.
        scale, shift: of each colour, for PICTURE; GRADIENT has the scale only.
        seed: the number of the map whose gradient it reads.
    """

    kind: int
    source: ChannelSlice | None
    target: ChannelSlice
    finish: int = 0
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    behind: Pair = (0, 0)
    ceil: bool = False
    count_padding: bool = False
    origin: Pair = (0, 0)
    weight: Tensor | None = None
    bias: Tensor | None = None
    most: float = 0.0
    chosen: int | None = None
    block: int = 1
    offset: Pair = (0, 0)
    scale: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class KernelGraph:
    """The operations of a network, in the order of execution.

    Attributes:
        forward, backward: the operations; in `backward`, slices are of gradients.
        outputs: the slices of the maps.
        depths: channels of each root, in whole groups.
        strides: px from one cell of each root to the next, along both axes.
        marked: the roots with ReLU marks (which cells were positive); True where all channels have
            them.
    """

    forward: tuple[KernelOperation, ...]
    backward: tuple[KernelOperation, ...]
    outputs: tuple[ChannelSlice, ...]
    depths: tuple[int, ...]
    strides: tuple[Pair, ...]
    marked: dict[int, bool]

    def sizes(self, length: int, axis: int) -> tuple[int, ...]:
        """Return the cells of each root along an axis of `length` pixels; ValueError if none."""
        lengths = [0] * len(self.depths)
        for operation in self.forward:
            if operation.source is None:
                lengths[operation.target.root] = length
                continue
            lengths[operation.target.root] = _size(operation, lengths[operation.source.root], axis)
            if lengths[operation.target.root] < 1:
                raise ValueError("The picture is too small for the network.")
        return tuple(lengths)


def _size(operation: KernelOperation, length: int, axis: int) -> int:
    stride, padding = operation.stride[axis], operation.padding[axis]
    reach = length + padding + operation.behind[axis] - operation.kernel[axis]
    count = reach // stride + 1 if reach >= 0 else 0
    if operation.ceil and reach % stride and count * stride < length + padding:
        count += 1
    return count
