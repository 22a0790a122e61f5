"""What would not fit into memory or disk is refused before it begins, and says what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dreamlayer.engine.tiling import tile_size
from dreamlayer.geometry import Window
from dreamlayer.networks.network import extract
from dreamlayer.networks.registry import registry
from dreamlayer.runtime import plane_storage
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.room import NoRoom
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.engine.networks import with_random_weights


@pytest.fixture(scope="module")
def studio() -> LocalStudio:
    return LocalStudio()


def steps(studio: LocalStudio, width: int, height: int, guide: int = 0, **recipe: Any) -> Any:
    layout = Picture(width, height, "U8", "RGB")
    frames = [np.zeros(layout.nbytes, np.uint8).data]
    asked = Picture(guide, guide, "U8", "RGB") if guide else None
    if asked:
        frames.append(np.zeros(asked.nbytes, np.uint8).data)
    request = DreamRequest(Recipe(seed=3, **recipe), layout, layout.region, guide=asked)
    return studio.dream(request, frames)


def free(monkeypatch: pytest.MonkeyPatch, memory: float, disk: float = 0.0) -> None:
    monkeypatch.setattr(plane_storage, "free_memory", lambda: int(memory))
    monkeypatch.setattr(plane_storage, "free_disk", lambda _folder: int(disk))


CASES: list[tuple[dict[str, Any], tuple[int, int], str]] = [
    ({"supersample": 3, "octave_scale": 3.0}, (8000, 6250), r"largest octave.*GB.*octaves above"),
    ({"layer": "features.1 : cosine", "octaves": 1}, (6000, 6000), r"about \d+\.\d GB of memory"),
    ({"layer": "12:guide", "octaves": 1}, (300, 300), r"about \d+\.\d GB of memory"),
]


@pytest.mark.parametrize(("recipe", "size", "sentence"), CASES, ids=["planes", "map", "guide"])
def test_it_is_refused_before_the_first_tile(
    recipe: dict[str, Any],
    size: tuple[int, int],
    sentence: str,
    studio: LocalStudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free(monkeypatch, 2e9, 5e9)
    guide = 0 if "supersample" in recipe else 3000
    with pytest.raises(NoRoom, match=sentence):
        for progress in steps(studio, *size, guide=guide, **recipe):
            assert progress.octave == 0


def test_a_picture_in_one_piece_is_refused_with_the_memory_that_it_takes(
    studio: LocalStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load", with_random_weights)
    free(monkeypatch, 1e9)
    more = {"model": "mobilenet_v3_small", "layer": "features.4", "octaves": 1, "steps": 1}
    with pytest.raises(NoRoom, match=r"mobilenet_v3_small sees a picture only in one piece"):
        list(steps(studio, 3000, 3000, **more))
    assert list(steps(studio, 100, 100, **more))  # a small one is dreamed


@pytest.mark.parametrize("disk", [0.0, 1e12])
def test_planes_may_lie_on_the_disk(
    disk: float, studio: LocalStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 4e8, disk)
    dreaming = steps(studio, 6000, 6000, octaves=1, steps=1, layer="features.3")
    if disk:
        next(dreaming)
        next(dreaming)
        dreaming.close()
    else:
        with pytest.raises(NoRoom):
            list(dreaming)


def test_the_users_own_limit_counts_as_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    if not Path("/proc/self/statm").exists():
        pytest.skip("only Linux tells how much of it is used")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (used + 5_000_000, used))
    assert plane_storage.free_memory() < 50_000_000


def test_tiles_are_as_large_as_the_free_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tile of 8192 px takes as much memory as all of a picture of 30 megapixels."""
    network = extract("squeezenet1_1", ["features.10"])
    window = plane_window(5000, 6000)
    free(monkeypatch, 1e12)
    assert tile_size.fitting_side(8192, network, window, (5100, 6100)) == 8192
    free(monkeypatch, 4e8)
    small = tile_size.fitting_side(8192, network, window, (5100, 6100))
    assert 128 <= small < 4096
    assert tile_size.pass_bytes(network, small, window, (5100, 6100)) < 2e8
    tile_size.measured_cost(network)
    automatic = tile_size.side(network, window, (5100, 6100))
    assert tile_size.pass_bytes(network, automatic, window, (5100, 6100)) < 2.1e8


def test_tiles_of_one_pixel_do_not_make_millions_of_blocks() -> None:
    network = extract("squeezenet1_1", ["features.3"])
    side = tile_size.fitting_side(1, network, plane_window(6000, 6000), (6100, 6100))
    assert (6000 / side) ** 2 <= 20_500
    assert tile_size.fitting_side(1, network, plane_window(60, 60), (160, 160)) == 1


def plane_window(height: int, width: int) -> Window:

    return Window.whole(height, width)
