"""The real daemon with a studio that dreams what the test says. Run as a program by the tests.

The recipe's `channels` tells the fake what to do, as nothing else reads it here: a number of
tiles to pass (50 ms each), or 900 plus the kind of trouble to make.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dreamlayer.runtime import interruption
from dreamlayer.server.lifecycle.single_instance import AlreadyRunning
from dreamlayer.server.main import serve
from dreamlayer.studio.progress import LooksProgress, RecipeLook
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import DreamRequest, Frame
from dreamlink.wire.seeing import SeeRequest


class Silent(RuntimeError):
    """An error that can't say what it is."""

    def __str__(self) -> str:
        raise KeyError("text")


class SilentRefusal(Silent, ValueError):
    """One that counts as written for the user."""


SLOW = 905
SEES_LONG, SEES_NOTHING = 64, 63  # the counts of a see that takes 10 s, or fails
TURNED = bytes([*range(1, 256), 0])
TILE = float(os.environ.get("DREAMLAYER_TEST_TILE", "0.05"))  # seconds
TROUBLE = {
    901: ValueError("This layer has only 512 channels, 0 to 511."),
    902: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    903: KeyError("weight"),
    904: MemoryError(),
    906: ValueError("There is no file caf\udce9.png."),
    907: ValueError("x" * 10_000_000),
    908: Silent(),
    909: SilentRefusal(),
    910: OSError(2, b"caf\xe9", "caf\udce9"),
}


class FakeOverlay:
    """Returns pixels that encode the strength; the feather is the time it takes in 1/100 s."""

    def __init__(self, request: DreamRequest) -> None:
        self.nbytes = self._size = request.result.nbytes
        self._steps = request.recipe.steps

    def blend(self, recipe: Recipe) -> bytes:
        time.sleep(recipe.feather / 100)
        if recipe.strength == 0.75:
            raise TROUBLE[908]
        if recipe.steps != self._steps:
            raise RecipeError("steps can't be changed without dreaming again.")
        return bytes([round(recipe.strength * 100)]) * self._size


class FakeStudio:
    """Returns as many of the received bytes as the region has, each incremented by one."""

    device = "cpu"
    networks = ("fake",)

    def __init__(self, startup: float) -> None:
        time.sleep(startup)

    def drop_idle(self) -> float | None:
        return None

    def layers(self, model: str) -> dict[str, list[dict[str, object]]]:
        if model == "silent":
            raise TROUBLE[908]
        if model != "fake":
            raise ValueError(f"There is no network {model!r}.")
        kinds: list[dict[str, object]] = [{"name": "things", "examples": ["cup"]}]
        return {"layers": [{"name": "features.0", "index": 0}], "kinds": kinds}

    def see(
        self, request: SeeRequest, frames: Sequence[Frame]
    ) -> tuple[dict[str, object], list[bytes]]:
        """One channel, of the layer that the first pixel names; `count` tells what goes wrong."""
        if request.count == SEES_NOTHING:
            raise ValueError("Nothing is selected.")
        for _ in range(200 if request.count == SEES_LONG else 1):
            interruption.check()
            time.sleep(TILE)
        first = memoryview(frames[0])[0]
        row = {
            "address": f"fake/features.{first}/7", "model": "fake", "name": "7",
            "expression": f"features.{first}:7", "score": 2.5, "peak": 4.0, "place": [1.0, 2.0],
        }  # fmt: skip
        lists = {"channels": [row], "layers": [], "kinds": [], "classes": [], "notes": []}
        answer = {**lists, "together": [], "heat": {"width": 2, "height": 1}}
        if not request.thumbnails:
            return answer, [bytes([0, 255])]
        row |= {"thumbnail": True, "specific": False}
        return {**answer, "thumbnails": {"side": 1}}, [bytes([0, 255]), bytes([1, 2, 3])]

    def looks(self, request: LooksRequest, frames: Sequence[Frame]) -> Iterator[LooksProgress]:
        """Two looks of each recipe, of the first pixel; `channels` tells what goes wrong.

        A number below 900 is the tiles that each look takes.
        """
        layout = Picture(request.region.width, request.region.height, "U8", "RGB")
        pixels = bytes([memoryview(frames[0])[0]]) * layout.nbytes
        for complete in (False, True):
            for index, dream in enumerate(request.dreams):
                number = (*dream.recipe.expression().terms[0][1].channels, 1)[0]
                if number in TROUBLE:
                    yield LooksProgress(0.5, RecipeLook(index, True, error=TROUBLE[number]))
                    continue
                for _ in range(number):
                    time.sleep(TILE)
                    yield LooksProgress(index / len(request.dreams))
                yield LooksProgress(0.5, RecipeLook(index, complete, (layout, pixels)))

    def dream(
        self, request: DreamRequest, frames: Sequence[Frame], before: FakeOverlay | None = None
    ) -> Generator[Any, None, SimpleNamespace]:
        number = (*request.recipe.expression().terms[0][1].channels, 1)[0]
        tiles = number if number < 900 else 2
        for tile in range(tiles):
            time.sleep(4.0 if tile and number == SLOW else TILE)
            if number in TROUBLE:
                raise TROUBLE[number]
            yield SimpleNamespace(
                fraction=tile / tiles, text=None, octave=1, octaves=1, step=tile + 1, steps=tiles,
                look=False, live=_live(request, tile) if tile + 1 < tiles else None,
                preview=lambda side: (Picture(side, 1, "U8", "RGB"), bytes(side * 3)),
            )  # fmt: skip
        sent = bytes(memoryview(frames[0])[: request.result.nbytes])
        return SimpleNamespace(
            pixels=sent.translate(TURNED),
            overlay=FakeOverlay(request),
            device="cpu",
            recipe=request.recipe.with_seed(),
            megapixel_steps=0.5,
            gain=2.0 if request.gain else None,
            notes=tuple(_notes(request, frames, before)),
        )


def _notes(
    request: DreamRequest, frames: Sequence[Frame], before: FakeOverlay | None
) -> Iterator[str]:
    """Notes about the parts of the request that reached the studio."""
    if request.gain:
        yield "It was measured."
    if request.strength:
        yield f"Its strength has {len(frames[1 + request.mask])} bytes."
    if request.zoom > 1:
        yield "It was enlarged."
    if before is not None:
        yield "It went on from another."


def _live(request: DreamRequest, tile: int) -> Callable[[], bytes] | None:
    """Live pixels that encode how many tiles are done."""
    if not request.live:
        return None
    return lambda: bytes([tile + 1]) * request.result.nbytes


if __name__ == "__main__":
    marker = Path(sys.argv[1]) if len(sys.argv) > 1 else None  # tells that loading has begun

    def studio() -> Any:
        if marker is None:
            return FakeStudio(0.0)
        marker.touch()
        return FakeStudio(3.0)

    try:
        serve(studio)
    except AlreadyRunning as already:
        print(already)
