"""What a dream will take of memory and disk, known before it begins.

Estimates, from the sizes of its largest octave: the passes over tiles that run at once, the maps
that an objective needs as a whole, the guide's pass, and the planes as large as the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dreamlayer.engine.ascent.ascent import APRON
from dreamlayer.engine.image import planes
from dreamlayer.engine.painting.stages import PAINTED_SIDE
from dreamlayer.engine.tiling import tile_size
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

WHOLE_MAPS = ("class", "cosine")  # kinds of targets whose map is needed as a whole
PAINTING_BYTES = 300  # of a painted pixel: spectrum, Adam's means, view, and their gradients
CARD_TEMPORARIES = 5  # pictures as large as the window that exist at a time on a card, in a step
MAP_COPIES = 4  # of such a map: itself, its gradient, and what is computed from them

Size = tuple[int, int]


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a dream takes.

    Attributes:
        working: of memory, for passes, maps and the guide.
        planes: of memory or disk.
        on_card: of a graphics card that holds the planes, besides `working`.
    """

    working: float
    planes: float
    on_card: float


def memory_need(
    network: Network,
    recipe: Recipe,
    window: Window,
    size: Size,
    sizes: Sequence[Size],
    guide_area: int = 0,
) -> MemoryNeed:
    """The most that a dream takes at a time.

    Args:
        network: ends at the layers of the recipe.
        window: the part of the picture to dream in.
        size: (h, w) of the picture.
        sizes: (h, w) of its octaves, coarse to fine.
        guide_area: pixels of the guide.
    """
    largest = sizes[-1]
    margin = (2 * APRON + 1) * network.stride
    canvas = (largest[0] + margin, largest[1] + margin)
    inside = window.scale(size, largest)
    tile = min(recipe.tile or tile_size.SIDES[0], tile_size.SIDES[0])  # smaller if memory is short
    working = tile_size.pass_bytes(network, tile, inside, canvas)
    working += _map_bytes(network, recipe, canvas)
    if recipe.is_painted:
        side = min(1.0, PAINTED_SIDE / max(largest))
        working += PAINTING_BYTES * inside.area * side**2
    if recipe.needs_guide:
        working = max(working, guide_area * network.forward_bytes_per_pixel)
    return MemoryNeed(
        working, _plane_bytes(size, sizes, inside), _card_plane_bytes(size, sizes, inside)
    )


def _map_bytes(network: Network, recipe: Recipe, canvas: Size) -> float:
    terms = [term for expression in recipe.expressions() for term in expression.terms]
    if not any(target.kind in WHOLE_MAPS for _, target in terms):
        return 0.0
    grids = network.grids(*canvas)
    cells = (math.prod(g) * one.channels for g, one in zip(grids, network.maps, strict=True))
    return MAP_COPIES * sum(cells) * network.dtype.itemsize


def _plane_bytes(size: Size, sizes: Sequence[Size], inside: Window) -> float:
    """The picture of the largest octave, its gradient or the detail before it, and the result."""
    sample = 2 if math.prod(size) >= planes.COMPACT_FROM else 4
    return 3.0 * sample * _plane_area(size, sizes, inside)


def _card_plane_bytes(size: Size, sizes: Sequence[Size], inside: Window) -> float:
    """The same as floats, with the source, and what a step computes of the whole window."""
    area = math.prod(size) + _plane_area(size, sizes, inside) + CARD_TEMPORARIES * inside.area
    return 3.0 * 4 * area


def _plane_area(size: Size, sizes: Sequence[Size], inside: Window) -> int:
    before = math.prod(sizes[-2]) if len(sizes) > 1 else 0
    result = math.prod(size) if sizes[-1] != size else 0
    return math.prod(sizes[-1]) + max(inside.area, before) + result
