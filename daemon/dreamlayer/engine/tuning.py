"""How large the tiles should be: as fast as this network is on this machine, within some memory.

Larger tiles have less around them that is computed twice; smaller ones fit into memory, and there
are enough of them for all workers. What a dream looks like does not depend on the choice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch

from dreamlayer.engine import workers
from dreamlayer.engine.layout import Cut, Map
from dreamlayer.engine.tiles import Span, Window, blocks
from dreamlayer.engine.workers import Workers
from dreamlayer.models import gpu
from dreamlayer.models.footprint import bytes_per_pixel
from dreamlayer.models.program import program_of

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
    1536,
    2048,
    3072,
    4096,
    6144,
    8192,
)  # px
MEMORY = 280 << 20  # bytes that all passes at once should take
LAVISH, MUCH = 4, 1.35  # times; a network that needs so much is used where there is so much
UNKNOWN = 1000.0  # bytes per pixel of a network that only torch itself can run
STRIPS = 0.15  # of a tape's memory is what the kernel takes, which holds a few rows of each map
HELD = 1.25  # of what a program tells is measured: oneDNN has buffers of its own
SHARED = 0.7  # how well all cores work on one block, against a block for each
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


_measured: WeakKeyDictionary[Cut, Speed] = WeakKeyDictionary()


def side(network: Cut, window: Window, canvas: tuple[int, int]) -> int:
    """The side in pixels that tiles of a window should have; `canvas` is (height, width)."""
    shape = (window.rows.length, window.columns.length)
    if not network.local:
        return max(shape)  # there is one tile, whatever is said here
    if network.device.type != "cpu":
        speed, count, room = Speed(0.0, 1.0, memory(network)), 1, gpu.room(network.device)
    else:
        speed, count, room = measured(network), workers.shared.count, MEMORY
    return choose(speed, network.maps, shape, canvas, count, room)


def measured(network: Cut) -> Speed:
    """The speed of a network on this machine: measured when it is first asked for, remembered."""
    if network not in _measured:
        _measured[network] = _measure(network)
    return _measured[network]


def memory(network: Cut) -> float:
    """Bytes that a pass of a network takes for each pixel of its crop."""
    program = program_of(network.module)
    if program is None:
        return UNKNOWN
    share = STRIPS if network.engine == "kernel" else HELD
    return bytes_per_pixel(program, network.dtype.itemsize) * share


def choose(
    speed: Speed,
    maps: Sequence[Map],
    shape: tuple[int, int],
    canvas: tuple[int, int],
    count: int,
    room: float,
) -> int:
    """The side with which a window of that shape is done soonest by so many workers.

    It takes no more than `room` bytes, unless four times as much makes it much faster; if no side
    fits, it is the smallest.
    """
    around = max(one.reach[1] - one.reach[0] for one in maps)
    found: list[tuple[float, float, int]] = []  # seconds, bytes, side
    for side in SIDES:
        crops = [
            [min(span.length + 2 * around, whole) for span in blocks(Span(0, length), side)]
            for length, whole in zip(shape, canvas, strict=True)
        ]
        number = len(crops[0]) * len(crops[1])
        memory = min(number, count) * max(crops[0]) * max(crops[1]) * speed.memory
        # Forward the crop narrows to the block and its surroundings, backward to the block.
        seen = sum(crops[0]) * sum(crops[1])
        work = number * speed.fixed + (seen + shape[0] * shape[1]) / 2 * speed.pixel
        rounds = math.ceil(number / count) / number if number > 1 else 1 / (count * SHARED)
        found.append((work * (rounds if count > 1 else 1.0), memory, side))
        if number == 1:
            break
    modest = min((one for one in found if one[1] <= room), default=None)
    lavish = min((one for one in found if one[1] <= LAVISH * room), default=None)
    if modest and lavish and modest[0] <= MUCH * lavish[0]:
        return modest[2]
    return lavish[2] if lavish else SIDES[0]


def _measure(network: Cut) -> Speed:
    sides = [max(network.minimum, probe) for probe in PROBES]
    taken = [_seconds(network, side) for side in sides]
    areas = [side * side for side in sides]
    # Beside other programs a measurement may be anything: a pass is at least half pixels.
    pixel = max((taken[1] - taken[0]) / max(1, areas[1] - areas[0]), taken[1] / areas[1] / 2)
    return Speed(max(0.0, taken[0] - areas[0] * pixel), pixel, memory(network))


def _seconds(network: Cut, side: int) -> float:
    """Of one thread, for a pass forth and back over a square: the least of a few."""
    x = torch.rand(1, 3, side, side, dtype=network.dtype)

    def pass_through() -> float:
        begin = time.perf_counter()
        found = network.run(x)
        found.pull_back([cells.clone() for cells in found.maps])
        return time.perf_counter() - begin

    found: list[float] = []
    while len(found) < ATTEMPTS and sum(found) < LONG:
        found += Workers(1).run([pass_through])
    return min(found)
