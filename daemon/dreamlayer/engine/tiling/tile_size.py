"""Tile size: the fastest for this network on this machine, within a memory budget.

Larger tiles have less surroundings that are computed twice; smaller ones fit into memory. The
picture does not depend on the choice.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch

from dreamlayer.engine.tiling import workers
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.workers import Workers
from dreamlayer.geometry import Span, Window
from dreamlayer.runtime import plane_storage
from dreamlayer.runtime.devices import memory

SIDES = (
    128,
    192,
    256,
    320,
    384,
    448,
    512,
    640,
    768,
    1024,
    1280,
    1536,
    2048,
    3072,
    4096,
    6144,
    8192,
)  # px
USUAL_BUDGET = 250 << 20  # bytes for all passes that run at once
LARGE_CROP = 2200 * 2200  # pixels; networks that need more for such a crop may take it, up to
MOST_BUDGET = 9 * USUAL_BUDGET  # bytes, and up to
MEMORY_PARTS = 8  # one part in so many of the computer's memory
FREE_SHARE = 0.5  # of the free memory; the rest is for planes and other programs
MOST_BLOCKS = 20_000  # of a window; smaller tiles would only take time and memory themselves
CROP_BYTES = 36  # bytes per pixel: the crop, a copy while it is assembled, and its gradient
THREADS_PER_PASS = 4  # more threads in one pass would wait for each other longer than they work
FAR_FROM_EDGES = 8192  # px, from any edge
PROBES = (128, 288)  # px; the speed is computed from the difference
ATTEMPTS, LONG_ENOUGH = 4, 0.4  # at most so many passes, or so many seconds, are measured


@dataclass(frozen=True)
class PassCost:
    """The cost of a pass, forward and backward, over a crop.

    Attributes:
        fixed: seconds, for any size.
        pixel: seconds per pixel.
        memory: bytes per pixel.
    """

    fixed: float
    pixel: float
    memory: float


_measured: WeakKeyDictionary[TileableNetwork, PassCost] = WeakKeyDictionary()


def side(network: TileableNetwork, window: Window, canvas: tuple[int, int]) -> int:
    """The best side of a window's tiles, in pixels; `canvas` is (height, width)."""
    shape = window.size
    if not network.local:
        return max(shape)  # there is one tile for any side
    if network.runs_on.type != "cpu":
        cost, count = PassCost(0.0, 1.0, bytes_per_crop_pixel(network)), 1
        budget = min(memory.memory_budget(network.runs_on), network.largest_area() * cost.memory)
    else:
        count = max(1, workers.shared.count // threads_per_pass())
        cost = measured_cost(network)
        budget = max(
            USUAL_BUDGET,
            min(cost.memory * LARGE_CROP, MOST_BUDGET, installed_memory() / MEMORY_PARTS),
        )
        budget = min(budget, plane_storage.free_memory() * FREE_SHARE)
    return choose_side(cost, halo(network), shape, canvas, count, budget)


class TilePlan:
    """The sides of one dream's tiles.

    On a card each is chosen once for a size of window and canvas, and again only after memory ran
    out: its free memory changes with what the dream itself records, and each other side would be
    recorded anew. On the CPU it follows the free memory.

    Args:
        wanted: px, the user's side; 0: the fastest.
    """

    def __init__(self, network: TileableNetwork, wanted: int = 0) -> None:
        self._network, self._wanted = network, wanted
        self._sides: dict[object, int] = {}

    def side(self, window: Window, canvas: tuple[int, int]) -> int:
        """The side of a window's tiles, in pixels; `canvas` is (height, width)."""
        network = self._network
        if network.runs_on.type == "cpu":
            return self._chosen(window, canvas)
        key = (window.size, canvas, memory.fitted(network.runs_on))
        if key not in self._sides:
            self._sides[key] = self._chosen(window, canvas)
        return self._sides[key]

    def _chosen(self, window: Window, canvas: tuple[int, int]) -> int:
        if self._wanted:
            return fitting_side(self._wanted, self._network, window, canvas)
        return side(self._network, window, canvas)


def fitting_side(
    wanted: int, network: TileableNetwork, window: Window, canvas: tuple[int, int]
) -> int:
    """The side of tiles that the user wants, or a smaller one that fits into the free memory.

    But not so small that there are more than MOST_BLOCKS. The picture does not depend on it.
    """
    if network.local:
        free = plane_storage.free_memory() * FREE_SHARE
        if network.runs_on.type != "cpu":
            free = memory.memory_budget(network.runs_on)
        while wanted > SIDES[0] and pass_bytes(network, wanted, window, canvas) > free:
            wanted //= 2
    return max(wanted, math.ceil(math.sqrt(window.area / MOST_BLOCKS)))


def pass_bytes(
    network: TileableNetwork, tile: int, window: Window, canvas: tuple[int, int]
) -> float:
    """The bytes of all passes that run at once over tiles of a side of `tile` px of a window."""
    if not network.local:
        return math.prod(canvas) * bytes_per_crop_pixel(network)
    around = 2 * halo(network)
    crop = [
        min(min(tile, length) + around, whole)
        for length, whole in zip(window.size, canvas, strict=True)
    ]
    tiles = math.prod(-(-length // tile) for length in window.size)
    count = min(tiles, max(1, workers.shared.count // threads_per_pass()))
    if network.runs_on.type != "cpu":
        count = 1
    return count * math.prod(crop) * bytes_per_crop_pixel(network)


def measured_cost(network: TileableNetwork) -> PassCost:
    """The cost of a network on this machine, measured once and cached."""
    if network not in _measured:
        _measured[network] = _measure(network)
    return _measured[network]


def is_measured(network: TileableNetwork) -> bool:
    """Whether the cost of a network on this machine is known; measuring it takes seconds."""
    return network in _measured


def threads_per_pass() -> int:
    """The threads that share a pass. With more cores several passes run at once."""
    return min(workers.shared.count, THREADS_PER_PASS)


def installed_memory() -> float:
    """The computer's memory in bytes; infinite if the system does not tell."""
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return math.inf


def halo(network: TileableNetwork) -> int:
    """The width of a block's surroundings that its gradient depends on, in pixels per side."""
    needs = network.gradient_dependencies(
        0, 2 * FAR_FROM_EDGES, (FAR_FROM_EDGES, FAR_FROM_EDGES + 1)
    )
    if needs is not None:
        (first, last), _ = needs
        return (last - first) // 2
    return max(one.reach[1] - one.reach[0] for one in network.maps)


def bytes_per_crop_pixel(network: TileableNetwork) -> float:
    """Bytes that a pass takes per pixel of its crop."""
    return network.bytes_per_pixel + CROP_BYTES


def choose_side(
    cost: PassCost,
    halo_width: int,
    shape: tuple[int, int],
    canvas: tuple[int, int],
    worker_count: int,
    budget: float,
) -> int:
    """The side with which the workers process a window of this shape in the shortest time.

    Uses at most `budget` bytes; if no side fits, returns the smallest.
    """
    options: list[tuple[float, float, int]] = []  # seconds, bytes, side
    for side in SIDES:
        crops = [
            [min(span.length + 2 * halo_width, whole) for span in Span(0, length).split(side)]
            for length, whole in zip(shape, canvas, strict=True)
        ]
        tiles = len(crops[0]) * len(crops[1])
        memory = min(tiles, worker_count) * max(crops[0]) * max(crops[1]) * cost.memory
        # Forward, the crop narrows to the block and its surroundings; backward, to the block.
        crop_area = sum(crops[0]) * sum(crops[1])
        work = tiles * cost.fixed + (crop_area + shape[0] * shape[1]) / 2 * cost.pixel
        options.append((work * math.ceil(tiles / worker_count) / tiles, memory, side))
        if tiles == 1:
            break
    return min((option for option in options if option[1] <= budget), default=options[0])[2]


def _measure(network: TileableNetwork) -> PassCost:
    sides = [max(network.minimum, probe) for probe in PROBES]
    seconds = [_seconds(network, side) for side in sides]
    areas = [side * side for side in sides]
    # Other programs may disturb the measurement: the pixels take at least half of a pass.
    pixel = max((seconds[1] - seconds[0]) / max(1, areas[1] - areas[0]), seconds[1] / areas[1] / 2)
    return PassCost(max(0.0, seconds[0] - areas[0] * pixel), pixel, bytes_per_crop_pixel(network))


def _seconds(network: TileableNetwork, side: int) -> float:
    """The time of one thread for a forward and backward pass over a square: the best of a few."""
    x = torch.rand(1, 3, side, side, dtype=network.dtype)

    def pass_through() -> float:
        begin = time.perf_counter()
        forward = network.run(x)
        forward.backward([cells.clone() for cells in forward.maps])
        return time.perf_counter() - begin

    seconds: list[float] = []
    while len(seconds) < ATTEMPTS and sum(seconds) < LONG_ENOUGH:
        seconds += Workers(1).run([pass_through])
    return min(seconds)
