"""How large the tiles should be: as fast as this network is on this machine, within some memory.

Larger tiles have less around them that is computed twice; smaller ones fit into memory. What a
dream looks like does not depend on the choice.
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
from dreamlayer.runtime import devices

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
MEMORY = 250 << 20  # bytes that all passes at once may take,
CROP = 2200 * 2200  # pixels of a crop that networks that need more may take
MOST = 9 * MEMORY  # as long as it is no more than this,
PART = 8  # nor than this part of the computer's memory
PICTURES = 36  # bytes per pixel: the crop, a copy while it is put together, and its gradient
TOGETHER = 4  # threads that share a pass; more would wait for each other longer than they work
FAR = 8192  # px, from any edge
PROBES = (128, 288)  # px; the difference tells the speed
ATTEMPTS, LONG = 4, 0.4  # passes, seconds


@dataclass(frozen=True)
class Speed:
    """What a pass over a crop takes.

    Attributes:
        fixed: seconds, whatever its size.
        pixel: seconds for each pixel.
        memory: bytes for each pixel.
    """

    fixed: float
    pixel: float
    memory: float


_measured: WeakKeyDictionary[TileableNetwork, Speed] = WeakKeyDictionary()


def side(network: TileableNetwork, window: Window, canvas: tuple[int, int]) -> int:
    """The side in pixels that tiles of a window should have; `canvas` is (height, width)."""
    shape = window.size
    if not network.local:
        return max(shape)  # there is one tile, whatever is said here
    if network.device.type != "cpu":
        speed, count, room = (
            Speed(0.0, 1.0, memory(network)),
            1,
            devices.memory_budget(network.device),
        )
    else:
        count = max(1, workers.shared.count // threads())
        speed = measured(network)
        room = max(MEMORY, min(speed.memory * CROP, MOST, installed() / PART))
    return choose(speed, around(network), shape, canvas, count, room)


def measured(network: TileableNetwork) -> Speed:
    """The speed of a network on this machine: measured when it is first asked for, remembered."""
    if network not in _measured:
        _measured[network] = _measure(network)
    return _measured[network]


def threads() -> int:
    """The threads that share a pass. With more cores than that there are several passes at once."""
    return min(workers.shared.count, TOGETHER)


def installed() -> float:
    """Bytes of memory that the computer has; no limit where that is not told."""
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return math.inf


def around(network: TileableNetwork) -> int:
    """Pixels on each side of a block on which its gradient depends."""
    needs = network.gradient_dependencies(0, 2 * FAR, (FAR, FAR + 1))
    if needs is not None:
        (first, last), _ = needs
        return (last - first) // 2
    return max(one.reach[1] - one.reach[0] for one in network.maps)


def memory(network: TileableNetwork) -> float:
    """Bytes that a pass of a network takes for each pixel of its crop."""
    return network.bytes_per_pixel + PICTURES


def choose(
    speed: Speed,
    around: int,
    shape: tuple[int, int],
    canvas: tuple[int, int],
    count: int,
    room: float,
) -> int:
    """The side with which a window of that shape is done soonest by so many workers.

    It takes no more than `room` bytes; if no side fits, it is the smallest.
    """
    found: list[tuple[float, float, int]] = []  # seconds, bytes, side
    for side in SIDES:
        crops = [
            [min(span.length + 2 * around, whole) for span in Span(0, length).split(side)]
            for length, whole in zip(shape, canvas, strict=True)
        ]
        number = len(crops[0]) * len(crops[1])
        memory = min(number, count) * max(crops[0]) * max(crops[1]) * speed.memory
        # Forward the crop narrows to the block and its surroundings, backward to the block.
        seen = sum(crops[0]) * sum(crops[1])
        work = number * speed.fixed + (seen + shape[0] * shape[1]) / 2 * speed.pixel
        found.append((work * math.ceil(number / count) / number, memory, side))
        if number == 1:
            break
    return min((one for one in found if one[1] <= room), default=found[0])[2]


def _measure(network: TileableNetwork) -> Speed:
    sides = [max(network.minimum, probe) for probe in PROBES]
    taken = [_seconds(network, side) for side in sides]
    areas = [side * side for side in sides]
    # Beside other programs a measurement may be anything: a pass is at least half pixels.
    pixel = max((taken[1] - taken[0]) / max(1, areas[1] - areas[0]), taken[1] / areas[1] / 2)
    return Speed(max(0.0, taken[0] - areas[0] * pixel), pixel, memory(network))


def _seconds(network: TileableNetwork, side: int) -> float:
    """Of one thread, for a pass forth and back over a square: the least of a few."""
    x = torch.rand(1, 3, side, side, dtype=network.dtype)

    def pass_through() -> float:
        begin = time.perf_counter()
        found = network.run(x)
        found.backward([cells.clone() for cells in found.maps])
        return time.perf_counter() - begin

    found: list[float] = []
    while len(found) < ATTEMPTS and sum(found) < LONG:
        found += Workers(1).run([pass_through])
    return min(found)
