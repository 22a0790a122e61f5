"""How much memory a dream takes beside its pictures, and what a selection costs in a large layer.

python -m tests.bench.memory [--sizes MP …] [--selection] [--map-above MIB] [--octaves N]
                             [--steps N] [--tile PX] [--preset NAME] [--json FILE]

Each dream runs in a daemon of its own, which has loaded its network before: two octaves of one step
of the parameters' default layer, or with --preset a preset's whole dream. Its memory is read every
few milliseconds (Linux only). "beyond" is the peak over what the daemon had before the dream and
its pictures:

- while it dreams: the input, and 4 bytes a sample for the dream (detail and gradient, 16 bits each,
  or one detail of 32 bits);
- in the end: the input, the detail in 16 bits, and the output.

With --selection a 512 × 512 selection is dreamed in a layer of 1 and of 100 megapixels, as a host
sends it (the selection and its surroundings) and by `dreamlayer dream --select`, each in a daemon
of its own: seconds, bytes over the link, and the daemon's memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from dreamlink.client import discovery
from dreamlink.client.client import Client
from dreamlink.picture import Picture, Region
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest, new_id

SIZES = (1.0, 4.0, 16.0, 64.0, 100.0)  # megapixels
LAYERS = (1.0, 100.0)
SIDE = 512  # px, of the selection
EVERY = 0.005  # seconds
TIMES = 20  # that a selection is dreamed
MB = 1e6
PHOTO = Path(__file__).parents[1] / "pictures" / "chelsea.png"
Row = dict[str, Any]


def held(process: int | str = "self") -> dict[str, float]:
    """What a process holds, in MB: memory of its own, and pages of files (mapped planes too).

    Shareable anonymous memory counts as its own: no other process holds it.
    """
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    kinds = {"anonymous": ("RssAnon", "RssShmem"), "files": ("RssFile",)}
    return {
        kind: sum(int(fields[name].split()[0]) * 1024 / MB for name in names)
        for kind, names in kinds.items()
    }


def spent(process: int) -> float:
    """The processor's seconds that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """The peak of a process's memory while it is watched."""

    def __init__(self, process: int | str = "self") -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.before = held(process)
        self.peak = dict(self.before)

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            now = held(self._process)
            self.peak = {kind: max(value, now[kind]) for kind, value in self.peak.items()}

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def rise(self) -> dict[str, float]:
        return {kind: value - self.before[kind] for kind, value in self.peak.items()}


def photo(megapixels: float) -> np.ndarray:
    """A photo, repeated until the picture is full: (height, width, 4), 8 bits."""
    side = round(math.sqrt(megapixels * 1e6))
    with Image.open(PHOTO) as image:
        tile = np.asarray(image.convert("RGBA"))
    pixels = np.empty((side, side, 4), np.uint8)
    for top in range(0, side, tile.shape[0]):
        for left in range(0, side, tile.shape[1]):
            part = pixels[top : top + tile.shape[0], left : left + tile.shape[1]]
            part[...] = tile[: part.shape[0], : part.shape[1]]
    return pixels


@contextlib.contextmanager
def daemon(recipe: Recipe) -> Iterator[tuple[Client, int]]:
    """A fresh daemon that has loaded a recipe's network, and its process."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["DREAMLAYER_HOME"] = home
        command = [sys.executable, "-m", "dreamlayer", "serve"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            while (info := discovery.find()) is None:
                time.sleep(0.05)
            with contextlib.closing(Client.connect(info)) as client:
                small = Picture(64, 64)
                short = replace(recipe, octaves=1, steps=1)
                wait(client, Dream(client, DreamRequest(short, small, small.region), bytes(16384)))
                yield client, process.pid
                client.send({"op": "stop", "id": new_id()})
                process.wait()


def wait(client: Client, dream: Dream) -> None:
    while not dream.over:
        message = client.receive(1.0)
        if message is not None:
            dream.receive(*message)
    assert dream.state is State.DONE, dream.text


def dream(megapixels: float, recipe: Recipe) -> Row:
    """Dream a whole layer in a fresh daemon."""
    pixels = photo(megapixels)
    height, width, _ = pixels.shape
    layout = Picture(width, height)
    request = DreamRequest(recipe, layout, layout.region, preview=512)
    with daemon(recipe) as (client, process), Watch(process) as watch:
        before = spent(process)
        dream = Dream(client, request, pixels.data)
        wait(client, dream)
        cores = spent(process) - before
        time.sleep(2 * EVERY)
    assert dream.pixels is not None and len(dream.pixels) == layout.nbytes
    samples, pictures = 3 * height * width, layout.nbytes
    allowed = max(pictures + 4 * samples, 2 * pictures + 2 * samples) / MB
    rise = watch.rise
    return {
        "megapixels": megapixels, "input": pictures / MB, "output": pictures / MB,
        "detail": 2 * samples / MB, "anonymous": rise["anonymous"], "files": rise["files"],
        "beyond": rise["anonymous"] - allowed, "seconds": dream.report["seconds"],
        "core_seconds": cores, "tile": recipe.tile,
    }  # fmt: skip


def select(megapixels: float, recipe: Recipe) -> Row:
    """Dream in the middle of a layer, as a host asks for it and on the command line."""
    pixels = photo(megapixels)
    height, width, _ = pixels.shape
    layer = Region(0, 0, width, height)
    region = Region((width - SIDE) // 2, (height - SIDE) // 2, SIDE, SIDE)
    seen = region.grow(recipe.context).clip(layer)
    own = region.moved(-seen.x, -seen.y)
    sent = pixels[seen.y : seen.y + seen.height, seen.x : seen.x + seen.width].tobytes()
    row: Row = {"megapixels": megapixels}
    with daemon(recipe) as (client, process), Watch(process) as watch:
        before = spent(process)
        seconds = []
        for _ in range(TIMES):
            request = DreamRequest(recipe, Picture(seen.width, seen.height), own)
            dream = Dream(client, request, sent)
            wait(client, dream)
            assert dream.pixels is not None
            seconds.append(dream.report["seconds"])
        row["seconds"], row["core_seconds"] = median(seconds), (spent(process) - before) / TIMES
        row["bytes"] = len(sent) + len(dream.pixels)
    row["memory"] = watch.rise["anonymous"]
    with tempfile.TemporaryDirectory() as folder, daemon(recipe) as (client, process):
        files = [Path(folder) / name for name in ("layer.bmp", "dream.bmp")]
        Image.fromarray(pixels[..., :3]).save(files[0])
        command = [
            sys.executable, "-m", "dreamlayer", "dream", str(files[0]), "-o", str(files[1]),
            "--select", ",".join(map(str, region)), "--seed", str(recipe.seed),
            "--octaves", str(recipe.octaves), "--steps", str(recipe.steps), "--json",
        ]  # fmt: skip
        with Watch(process) as watch:
            before = spent(process)
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        row["seconds_by_command"] = json.loads(done.stdout)["seconds"]
        row["core_seconds_by_command"] = spent(process) - before
        row["memory_by_command"] = watch.rise["anonymous"]
    return row


def table(rows: list[Row], columns: dict[str, str]) -> str:
    lines = ["| " + " | ".join(columns.values()) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(f"{row[name]:.4g}" for name in columns) + " |" for row in rows]
    return "\n".join(lines)


DREAMS = {
    "megapixels": "MP", "input": "input, MB", "detail": "detail", "output": "output",
    "anonymous": "peak, own memory", "files": "peak, files and mapped planes",
    "beyond": "beyond", "seconds": "s", "core_seconds": "core-s",
}  # fmt: skip
SELECTIONS = {
    "megapixels": "layer, MP", "seconds": "s", "core_seconds": "daemon's core-s",
    "bytes": "bytes over the link", "memory": "daemon's memory, MB",
    "seconds_by_command": "s, by command", "core_seconds_by_command": "core-s, by command",
    "memory_by_command": "MB, by command",
}  # fmt: skip


def main() -> None:
    options = _options()
    if options.preset:
        recipe = replace(presets.find(options.preset).recipe(), tile=options.tile, seed=7)
    else:
        recipe = Recipe(octaves=options.octaves, steps=options.steps, tile=options.tile, seed=7)
    os.environ["DREAMLAYER_MAP_ABOVE"] = str(options.map_above)
    figures: dict[str, list[Row]] = {}
    if options.sizes:
        figures["dreams"] = [dream(size, recipe) for size in options.sizes]
        print(table(figures["dreams"], DREAMS))
    if options.selection:
        figures["selections"] = [select(size, recipe) for size in LAYERS]
        print(table(figures["selections"], SELECTIONS))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.memory")
    parser.add_argument("--sizes", type=float, nargs="*", default=SIZES, help="megapixels")
    parser.add_argument("--selection", action="store_true", help="also a selection in large layers")
    parser.add_argument("--octaves", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--tile", type=int, default=0, help="px; 0: as the daemon chooses")
    parser.add_argument("--preset", help="all of this preset's dream")
    parser.add_argument("--map-above", type=int, default=0, help="MiB; larger planes go to files")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
