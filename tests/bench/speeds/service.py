"""What users wait for besides the engine: start, command line, link, previews, large layers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from dreamlink.client import discovery
from dreamlink.client.client import Client
from dreamlink.picture import Picture, Region
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.session.look_size import reduced_recipe, reduction
from dreamlink.wire.messages import DreamRequest, Header, new_id

ROOT = Path(__file__).parents[3]
REAL = [sys.executable, "-m", "dreamlayer", "serve"]
FAKE = [sys.executable, str(ROOT / "tests" / "server" / "fake_daemon.py")]
FAKE_DREAM = Recipe.of({"channels": "1"})  # one tile, which gives the pixels back
SELECTED, CONTEXT = 512, 96  # px
LOOK = 384  # px, the longer side of Krita's looks
LOOKED = (0.25, 2.0, 40.0)  # megapixels of the layers that are looked at
SELECTIONS = 3  # times as often as the rest: they are short
PATIENCE = 120.0  # seconds


@contextlib.contextmanager
def own_home() -> Iterator[None]:
    """A folder of Dreamlayer's own, and compiled Python files as an installed program has them."""
    kept = {name: os.environ.get(name) for name in ("DREAMLAYER_HOME", "PYTHONPYCACHEPREFIX")}
    lazy = os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DREAMLAYER_HOME"] = str(Path(folder) / "home")
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "dreamlayer-bench")
        try:
            yield
        finally:
            for name, value in {**kept, "PYTHONDONTWRITEBYTECODE": lazy}.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


@dataclass
class Started:
    """A running daemon, and when it was ready for what, in seconds from its process's start."""

    client: Client
    hello: float
    device_at_hello: object
    began: float

    def ready(self) -> float:
        """Wait until the network is loaded."""
        while asked(self.client, "status")["device"] is None:
            time.sleep(0.01)
        return time.perf_counter() - self.began


@contextlib.contextmanager
def daemon(program: list[str]) -> Iterator[Started]:
    """A daemon for the bench, ended afterwards."""
    with own_home():
        began = time.perf_counter()
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while (info := discovery.find()) is None:
                if process.poll() is not None or time.perf_counter() > began + PATIENCE:
                    raise RuntimeError("The daemon did not start.")
                time.sleep(0.001)
            with contextlib.closing(Client.connect(info)) as client:
                hello = time.perf_counter() - began
                yield Started(client, hello, asked(client, "status")["device"], began)
                asked(client, "stop")
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()


def asked(client: Client, op: str) -> Header:
    """The header that answers a request."""
    request_id, end = new_id(), time.monotonic() + PATIENCE
    client.send({"op": op, "id": request_id})
    while time.monotonic() < end:
        message = client.receive(1.0)
        if message is not None and message[0].get("id") == request_id:
            return message[0]
    raise RuntimeError("The daemon does not answer.")


def finished(client: Client, dream: Dream) -> list[float]:
    """Wait for a dream's end; the moments at which a preview came."""
    shown, previews = None, []
    while not dream.over:
        message = client.receive(1.0)
        if message is not None:
            dream.receive(*message)
            if dream.preview is not shown:
                shown = dream.preview
                previews.append(time.perf_counter())
    if dream.state is not State.DONE:
        raise RuntimeError(dream.text)
    return previews


def start(times: int) -> dict[str, Any]:
    """Seconds until hello, until the network is warm, and of `--help`."""
    hellos, readies, helps = [], [], []
    for time_ in range(times + 1):  # the first compiles
        with daemon(REAL) as started:
            hellos.append(started.hello)
            if started.device_at_hello is not None:
                raise RuntimeError("torch was loaded before hello.")
            if time_ in (0, times):
                readies.append(started.ready())
        with own_home():
            began = time.perf_counter()
            command = [sys.executable, "-m", "dreamlayer", "--help"]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            helps.append(time.perf_counter() - began)
    return {"hello": median(hellos[1:]), "ready": readies[-1], "help": median(helps[1:])}


def link(megapixels: list[float], times: int) -> list[dict[str, Any]]:
    """Seconds for pixels to the daemon and back, RGBA in 8 bits.

    The daemon is the real one, with a studio that returns the pixels; the time of the studio is
    subtracted. The processor's seconds are the client's.
    """
    rows = []
    with daemon(FAKE) as started:
        for size in megapixels:
            width = round((size * 1e6 * 1.5) ** 0.5)
            layout = Picture(width, round(size * 1e6 / width))
            pixels = bytes(layout.nbytes)
            costs = []
            for _ in range(times + 1):
                began, spent = time.perf_counter(), time.process_time()
                request = DreamRequest(FAKE_DREAM, layout, layout.region)
                dream = Dream(started.client, request, pixels)
                finished(started.client, dream)
                wall, used = time.perf_counter() - began, time.process_time() - spent
                costs.append((wall - dream.report["seconds"], used))
            walls, cores = zip(*costs[1:], strict=True)
            row = {"megapixels": size, "seconds": median(walls), "client_seconds": median(cores)}
            rows.append({**row, "bytes": layout.nbytes})
    return rows


def dreams(times: int, layers: list[float]) -> dict[str, Any]:
    """Through a daemon: quick looks, and a selection in layers of all sizes."""
    with daemon(REAL) as started:
        started.ready()
        client = started.client
        looks = [_looks(client, size, times) for size in LOOKED]
        whole = {size: _layer(_layout(size)) for size in layers}
        selection: dict[float, list[tuple[float, int]]] = {size: [] for size in layers}
        for time_ in range(SELECTIONS * times + 1):
            for size, layer in whole.items():
                took = _selected(client, layer)
                selection[size] += [took] if time_ else []
    rows = [
        {"megapixels": size, "seconds": median(t for t, _ in runs), "bytes": runs[0][1]}
        for size, runs in selection.items()
    ]
    return {"looks": looks, "selection": rows}


def default_dream(megapixels: float) -> float:
    """Seconds in the daemon of a dream of the parameters' defaults."""
    with daemon(REAL) as started:
        started.ready()
        layout = _layout(megapixels)
        pixels = _layer(layout).tobytes()
        request = DreamRequest(Recipe.of({"seed": 7}), layout, layout.region)
        dream = Dream(started.client, request, pixels)
        finished(started.client, dream)
        return float(dream.report["seconds"])


def _layout(megapixels: float) -> Picture:
    width = round((megapixels * 1e6 * 1.5) ** 0.5)
    return Picture(width, round(megapixels * 1e6 / width))


def _layer(layout: Picture) -> Any:
    rows = np.random.default_rng(1).integers(0, 256, (1024, layout.width, 4), np.uint8)
    return np.resize(rows, (layout.height, layout.width, 4))


def _looks(client: Client, megapixels: float, times: int) -> dict[str, float]:
    """Seconds until the first, the second and the last look of the default preset.

    At a layer of so many megapixels, reduced as Krita does it.
    """
    recipe = replace(presets.PRESETS[presets.DEFAULT].recipe(), seed=7)
    whole, runs = _layout(megapixels), []
    factor = reduction(whole.region, recipe, LOOK)
    layout = Picture(round(whole.width / factor), round(whole.height / factor))
    request = DreamRequest(
        reduced_recipe(recipe, factor), layout, layout.region, quick=True, reduced=factor,
        preview=LOOK,
    )  # fmt: skip
    pixels = _layer(layout).tobytes()
    for _ in range(times + 1):
        began = time.perf_counter()
        seen = [when - began for when in finished(client, Dream(client, request, pixels))]
        end = time.perf_counter() - began
        first, second = [*seen, end, end][:2]
        runs.append((first, second, end))
    names = ("first", "second", "last")
    columns = zip(*runs[1:], strict=True)
    medians = {name: median(column) for name, column in zip(names, columns, strict=True)}
    return {"megapixels": megapixels, **medians}


def _selected(client: Client, layer: Any) -> tuple[float, int]:
    """Seconds and bytes of a dream on 512 × 512 pixels in the middle of a layer, put back there."""
    layout = Picture(layer.shape[1], layer.shape[0])
    x, y = (layout.width - SELECTED) // 2, (layout.height - SELECTED) // 2
    region = Region(x, y, SELECTED, SELECTED)
    seen = region.grow(CONTEXT).clip(layout.region)
    began = time.perf_counter()
    part = layer[seen.y : seen.y + seen.height, seen.x : seen.x + seen.width].tobytes()
    request = DreamRequest(
        replace(Recipe.of({"seed": 7}), octaves=2, steps=3),
        replace(layout, width=seen.width, height=seen.height),
        region.moved(-seen.x, -seen.y),
    )
    dream = Dream(client, request, part)
    finished(client, dream)
    assert dream.pixels is not None
    fresh = np.frombuffer(dream.pixels, np.uint8).reshape(SELECTED, SELECTED, 4)
    layer[y : y + SELECTED, x : x + SELECTED] = fresh
    return time.perf_counter() - began, len(part) + len(dream.pixels)
