"""How long it takes to lay a finished dream over its picture again, for each live parameter.

python -m tests.bench.blending [MEGAPIXELS]

First in this process, then through a daemon and the link, then while the daemon dreams: with the
time that the daemon takes to tell its status meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from dreamlayer.compositing.overlay import Overlay
from dreamlink.client import discovery
from dreamlink.client.client import Client
from dreamlink.picture import Edges, Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Asked, Dream, State
from dreamlink.wire.messages import DreamRequest, new_id

TIMES = 15
QUICK = Recipe(layer="features.3", octaves=1, steps=1, seed=7)
LONG = replace(QUICK, steps=500)
CHANGES: dict[str, dict[str, object]] = {
    "full": {},
    "capped": {"colour": "capped"},
    "luminance": {"colour": "luminance"},
    "source": {"colour": "source"},
    "full, hard clip": {"soft_clip": False},
    "full, dither": {"dither": True},
    "full, zero_mean": {"zero_mean": True},
    "full, feather 40": {"feather": 40.0},
    "all at once": {"colour": "source", "dither": True, "zero_mean": True, "feather": 40.0},
}


def layout_of(megapixels: float) -> Picture:
    width = round((megapixels * 1e6 * 1.5) ** 0.5)
    return Picture(width, round(megapixels * 1e6 / width), "U8", "RGBA")


def source_of(layout: Picture) -> np.ndarray:
    shape = (layout.height, layout.width, layout.samples)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def overlay(layout: Picture) -> Overlay:
    generator = torch.Generator().manual_seed(1)
    detail = torch.randn(1, 3, layout.height, layout.width, generator=generator) * 0.1
    edges = Edges(False, False, False, False)
    return Overlay(source_of(layout), layout, detail, False, QUICK, None, False, edges)


def report(name: str, work: Callable[[], object]) -> None:
    """Print how long it takes, and the processor's time of this process in it."""
    wall, cores = [], []
    for _ in range(TIMES):
        began, spent = time.perf_counter(), time.process_time()
        work()
        wall.append((time.perf_counter() - began) * 1000)
        cores.append((time.process_time() - spent) * 1000)
    print(f"{name:32}{median(wall):8.1f}{min(wall):8.1f}{min(cores):8.1f}")


@contextlib.contextmanager
def daemon() -> Iterator[Client]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["DREAMLAYER_HOME"] = home
        command = [sys.executable, "-m", "dreamlayer", "serve"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            while (info := discovery.find()) is None:
                time.sleep(0.05)
            with contextlib.closing(Client.connect(info)) as client:
                yield client
                client.send({"op": "stop", "id": new_id()})
                process.wait()


def wait(client: Client, asked: Asked) -> None:
    while not asked.over:
        message = client.receive(1.0)
        if message is not None:
            asked.receive(*message)
    assert asked.state is not State.FAILED, asked.text


def status(client: Client) -> None:
    request_id = new_id()
    client.send({"op": "status", "id": request_id})
    while True:
        message = client.receive(1.0)
        if message is not None and message[0]["id"] == request_id:
            return


def main() -> None:
    layout = layout_of(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
    print(f"{layout.width} × {layout.height} RGBA U8, {os.cpu_count()} cores, of {TIMES} times")
    print(f"{'ms':32}  median    best     CPU")
    laid = overlay(layout)
    for name, values in CHANGES.items():
        recipe = replace(QUICK, **values)
        report(name, lambda recipe=recipe: laid.blend(recipe))  # type: ignore[misc]
    with daemon() as client:
        pixels = source_of(layout).tobytes()
        dream = Dream(client, DreamRequest(QUICK, layout, layout.region), pixels)
        wait(client, dream)
        for meanwhile in ("", ", while it dreams"):
            if meanwhile:
                Dream(client, DreamRequest(LONG, layout, layout.region), pixels)
            for name in ("full", "source"):
                recipe = replace(QUICK, **CHANGES[name])
                report(
                    f"{name}, through the link{meanwhile}",
                    lambda recipe=recipe: wait(client, dream.blend(recipe)),  # type: ignore[misc]
                )
            report(f"status{meanwhile}", lambda: status(client))
        dream.blend(QUICK)
        report("status, while it dreams and blends", lambda: status(client))


if __name__ == "__main__":
    main()
