"""Clocks that jump, a machine without memory, networks and pixels that are broken."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest
from tests.faults.catalogue import fault
from tests.faults.painter import Painter, dreamed, told


def failing(home: Path, what: str, *, once: bool = True) -> Painter:
    command = [sys.executable, str(Path(__file__).parent / "failing_daemon.py"), what]
    return Painter([*command, str(home.parent / "happened")] if once else command)


@fault(
    "clock set forward", "ten years, in a dream", "the dream is done; results wait as long as ever"
)
def test_the_clock_jumps_forward(home: Path) -> None:
    painter = failing(home, "clock forward")
    dreamed(painter, painter.dream(6))


@fault("clock set back", "ten years, in a dream", "the dream is done; results wait as long as ever")
def test_the_clock_jumps_backward(home: Path) -> None:
    painter = failing(home, "clock backward")
    dreamed(painter, painter.dream(6))


@fault("files from the future", "daemon.json and the lock are of the year 2100", "next call works")
def test_files_from_the_future(painter: Painter, home: Path) -> None:
    dream = painter.dream()
    for path in home.iterdir():
        if path.is_file():
            os.utime(path, (4102444800, 4102444800))
    dreamed(painter, dream)


@fault(
    "network that fails",
    "an unexpected error in a tile",
    "reported, with where the details are; daemon survives",
)
def test_the_studio_raises(home: Path) -> None:
    painter = failing(home, "raise")
    told(painter, painter.dream(3), "unexpectedly", "KeyError")


@fault(
    "compute thread that ends",
    "SystemExit in a tile, as a library may raise",
    "reported; daemon survives",
)
def test_the_studio_raises_system_exit(home: Path) -> None:
    painter = failing(home, "exit")
    told(painter, painter.dream(3), "unexpectedly")


@fault(
    "out of memory in a dream",
    "MemoryError in a tile",
    "the user is told what to do; daemon survives",
)
def test_out_of_memory_in_a_dream(home: Path) -> None:
    painter = failing(home, "memory")
    told(painter, painter.dream(3), "memory", "smaller selection")


@fault(
    "out of memory in the libraries",
    "torch's own error in every tile",
    "the user is told what to do; daemon survives",
)
def test_out_of_memory_in_torch(painter: Painter) -> None:
    told(painter, painter.dream(902), "memory", "smaller selection")


@fault(
    "PyTorch that can't be loaded",
    "a library is missing at the start",
    "loading is tried again with the dream",
)
def test_a_studio_that_cannot_be_loaded(home: Path) -> None:
    painter = failing(home, "no studio")
    dreamed(painter, painter.dream())


@fault(
    "daemon slow to start",
    "PyTorch takes two seconds to load",
    "the client waits and says so; the dream is done",
)
def test_a_slow_start(home: Path) -> None:
    painter = failing(home, "slow start")
    dreamed(painter, painter.dream())


@fault(
    "recipe that the network can't follow",
    "a channel that the network does not have",
    "reported; daemon survives",
)
def test_a_recipe_that_the_network_refuses(painter: Painter) -> None:
    told(painter, painter.dream(901), "512 channels")


REAL = [sys.executable, "-m", "dreamlayer", "serve"]


def truly(painter: Painter, recipe: Recipe, picture: Picture, pixels: bytes) -> Dream:
    """A dream by the real studio."""
    request = DreamRequest(recipe, picture, picture.region)
    return painter.follow(Dream(painter.connect(), request, pixels))


def small(**values: object) -> Recipe:
    return Recipe.of({"octaves": 1, "steps": 1, "layer": "features.3", "seed": 1, **values})


@fault(
    "broken pixels and weights",
    "NaN and infinity in the picture; a weights file of noise",
    "the first dreamed on, the second reported; daemon survives",
)
def test_broken_pixels_and_weights(home: Path) -> None:
    painter = Painter(REAL)
    picture = Picture(48, 48, "F32", "RGB")
    count = picture.nbytes // 4
    values = [0.5] * count
    values[10:14] = [float("nan"), float("inf"), float("-inf"), 1e38]
    pixels = struct.pack(f"<{count}f", *values)
    dream = truly(painter, small(), picture, pixels)
    assert dream.state in (State.DONE, State.FAILED)
    assert dream.text.strip().endswith(".")

    weights = home / "models"
    weights.mkdir(exist_ok=True)
    for name in ("alexnet.safetensors", "alexnet.pth"):
        (weights / name).write_bytes(os.urandom(5000))
    dream = truly(painter, small(model="alexnet"), picture, bytes(picture.nbytes))
    assert dream.state is State.FAILED
    assert dream.text.strip().endswith(".")

    after = truly(painter, small(), picture, struct.pack(f"<{count}f", *([0.25] * count)))
    assert after.state is State.DONE, after.text
    painter.leave()


if sys.platform == "win32":
    pytestmark = pytest.mark.skip(reason="the faults' daemon is ended by SIGKILL")
