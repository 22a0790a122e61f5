"""The flat colours of a layer that shall be a dream map, so that nobody has to type them."""

from __future__ import annotations

import sys
from collections import Counter

from ..recipe.bindings import BINDINGS_MAX, LEAST_DISTANCE

LEAST_SHARE = 0.01  # of the opaque pixels; what covers less is an edge or a speck
OPAQUE = 128  # of 255; a colour with less alpha counts as missing for the daemon, too
PIXEL = 4  # bytes


def flat_colours(pixels: bytes) -> list[tuple[int, int, int]]:
    """The colours that a map is painted with, the most frequent first.

    At most as many as can be bound, each of at least a hundredth of the opaque pixels, and so far
    apart that the daemon can tell them apart.

    Args:
        pixels: R, G, B, A in 8 bits; a sample of the map does, if its colours were not averaged.

    Raises:
        ValueError: the number of bytes is not one of whole pixels.
    """
    if len(pixels) % PIXEL:
        raise ValueError(f"{len(pixels)} bytes are no pixels of R, G, B and A")
    counts: Counter[tuple[int, int, int]] = Counter()
    # As whole numbers, pixels are counted in C: 65,536 take a few milliseconds.
    for number, count in Counter(memoryview(pixels).cast("I")).items():
        red, green, blue, alpha = number.to_bytes(PIXEL, sys.byteorder)
        if alpha >= OPAQUE:
            counts[red, green, blue] += count
    least = LEAST_SHARE * counts.total()
    found: list[tuple[int, int, int]] = []
    for colour, count in counts.most_common():
        if count < least or len(found) == BINDINGS_MAX:
            break
        if all(_distance(colour, other) >= LEAST_DISTANCE for other in found):
            found.append(colour)
    return found


def _distance(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)
