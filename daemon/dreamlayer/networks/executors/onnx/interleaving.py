"""What windows with a stride give back to the cells that they see: one phase at a time.

With a stride s, cell i of a padded map is phase i % s of the coarse cell i // s. The gradient of
each phase is computed as a map of its own, and the phases are interleaved in the end.
"""

from __future__ import annotations

import numpy as np

from dreamlayer.networks.executors.onnx.graph import GraphBuilder, PlacedTensor
from dreamlayer.networks.program.convolution import Box, Pair


def interleaved(
    graph: GraphBuilder, phases: PlacedTensor, stride: Pair, by_channel: bool
) -> PlacedTensor:
    """(1, C · stride², h, w) → (1, C, h · stride, w · stride).

    Args:
        phases: its box counts coarse cells.
        by_channel: whether the phases of one channel follow each other, or the channels of one
            phase.
    """
    if stride == (1, 1):
        return phases
    (down, right), (height, width) = stride, phases.size
    channels = phases.channels // (down * right)
    if by_channel:
        shape, order = [channels, down, right, height, width], [0, 3, 1, 4, 2]
    else:
        shape, order = [down, right, channels, height, width], [2, 3, 0, 4, 1]
    apart = graph.node("Reshape", [phases.name, graph.constant(np.array(shape, np.int64))])
    turned = graph.node("Transpose", [apart], perm=order)
    whole = np.array([1, channels, height * down, width * right], np.int64)
    box = tuple((a * s, b * s) for (a, b), s in zip(phases.box, stride, strict=True))
    name = graph.node("Reshape", [turned, graph.constant(whole)])
    return PlacedTensor(name, channels, (box[0], box[1]))


def from_taps(
    graph: GraphBuilder, taps: dict[Pair, PlacedTensor], kernel: Pair, stride: Pair
) -> PlacedTensor:
    """Add up what each window gives to each of the cells that it sees.

    Args:
        taps: {(row, column) in the window: what the windows give to that cell}, one cell a window.

    Returns:
        the sum at the cells of the padded map.
    """
    (down, right), first = stride, taps[0, 0]
    (top, bottom), (left, right_end) = first.box
    over = [(side - 1) // step for side, step in zip(kernel, stride, strict=True)]
    box: Box = (top, bottom + over[0]), (left, right_end + over[1])
    sums: dict[Pair, str] = {}
    for (dy, dx), tap in taps.items():
        (y, row), (x, column) = divmod(dy, down), divmod(dx, right)
        moved = PlacedTensor(
            tap.name, tap.channels, ((top + y, bottom + y), (left + x, right_end + x))
        )
        name = graph.fit(moved, box).name
        before = sums.get((row, column))
        sums[row, column] = name if before is None else graph.node("Add", [before, name])
    nothing = PlacedTensor("", first.channels, box)
    phases = [
        sums.get((row, column)) or graph.constant(np.zeros(nothing.shape, np.float32))
        for row in range(down)
        for column in range(right)
    ]
    name = phases[0] if len(phases) == 1 else graph.node("Concat", phases, axis=1)
    joined = PlacedTensor(name, first.channels * len(phases), box)
    return interleaved(graph, joined, stride, by_channel=False)
