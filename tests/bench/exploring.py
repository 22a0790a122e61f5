"""How soon nine looks are there, and how soon they end: python -m tests.bench.exploring.

For each picture and first recipe: the daemon is asked what its networks see, then for nine looks at
the neighbours, as a host's window of Explore does; then for those around a neighbour, and so on.
The times are from the request to the last of the nine rough looks, and to the last finished one:
the best and the median of the grids. "cold" is the very first grid, whose networks have to be
loaded. At last the looks are cancelled when the third of them is there: until the answer, and until
the computation has really ended.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.recipe import presets
from dreamlink.session.exploring.exploration import Exploration
from dreamlink.session.exploring.things import things_of
from dreamlink.wire.looks import LookAnswer, LooksRequest
from dreamlink.wire.seeing import Seen, SeeRequest
from tests.engine.looks import PICTURES
from tests.server.daemons import Daemon, ask, receive

SEEN_SIDE, LOOK_SIDE = 384, 192  # px, as in Krita
CASES = (  # picture, its longer side in px as if it were so large, first preset
    ("chelsea.png", 451, "creatures"),
    ("china.jpg", 3000, "creatures"),
    ("coffee.png", 1600, "dogs"),
    ("peaks.jpg", 1600, "animals"),
    ("rocket.jpg", 4000, "rosettes"),
)
WAY = (0, 5, 1, 7)  # the cells that are clicked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="walks of each case")
    arguments = parser.parse_args()
    program = [sys.executable, "-m", "dreamlayer", "serve"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DREAMLAYER_HOME"] = folder
        daemon = Daemon(Path(folder), program=program)
        try:
            with contextlib.closing(daemon.connect()) as client:
                _table(client, arguments.rounds)
        finally:
            daemon.kill()


def _table(client: Client, rounds: int) -> None:
    while ask(client, "status")["device"] is None:  # torch is being loaded
        time.sleep(0.1)
    print(
        "| picture | first recipe | seen | nine looks: cold | best | median | all finished: best |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, side, preset in CASES:
        firsts, lasts, seens = [], [], []
        for round_number in range(rounds):
            seconds, walk, pixels = _walk(client, name, side, preset, round_number + 1)
            seens.append(seconds)
            for cell in (None, *WAY):
                if cell is not None:
                    walk.choose(cell)
                first, last = _take(client, walk, pixels, side)
                firsts.append(first)
                lasts.append(last)
        times = [min(seens), firsts[0], min(firsts[1:]), statistics.median(firsts[1:]), min(lasts)]
        cells = [f"{name}, as of {side} px", preset, *(f"{each:.1f} s" for each in times)]
        print(f"| {' | '.join(cells)} |", flush=True)
    print("\n" + _cancel(client, *_walk(client, *CASES[0], seed=9)[1:]))


def _walk(
    client: Client, name: str, side: int, preset: str, seed: int
) -> tuple[float, Exploration, tuple[Picture, bytes]]:
    """Seconds until it is known what is seen, a walk, and the small pixels."""
    layout, frame = _pixels(name, SEEN_SIDE)
    request = SeeRequest(layout, layout.region, count=12)
    began = time.monotonic()
    client.send(request.header(), frame)
    header, frames = receive(client)
    seconds = time.monotonic() - began
    things = things_of(Seen.of(header, frames))
    walk = Exploration(presets.find(preset).recipe(), things, side / LOOK_SIDE, seed)
    return seconds, walk, _pixels(name, LOOK_SIDE)


def _pixels(name: str, side: int) -> tuple[Picture, bytes]:
    with Image.open(PICTURES / name) as image:
        small = image.convert("RGB")
    scale = side / max(small.size)
    width, height = (round(length * scale) for length in small.size)
    small = small.resize((width, height), Image.Resampling.LANCZOS)
    return Picture(width, height, "U8", "RGB"), small.tobytes()


def _ask(client: Client, walk: Exploration, pixels: tuple[Picture, bytes], side: int) -> list[int]:
    """Ask for the looks that are missing; returns the cell of each."""
    layout, frame = pixels
    wanted = walk.wanted()
    recipes = [recipe for _, recipe in wanted]
    request = LooksRequest.make(recipes, layout, layout.region, reduced=side / LOOK_SIDE)
    client.send(request.header(), frame)
    return [index for index, _ in wanted]


def _take(
    client: Client, walk: Exploration, pixels: tuple[Picture, bytes], side: int
) -> tuple[float, float]:
    """Seconds until each cell has a new look, and until all are finished."""
    began, first, seen = time.monotonic(), 0.0, set()
    cells = _ask(client, walk, pixels, side)
    while True:
        header, frames = receive(client)
        if header["op"] == "look":
            look = LookAnswer.of(header, frames, len(cells))
            walk.take(cells[look.index], look)
            seen.add(look.index)
            if len(seen) == len(cells) and not first:
                first = time.monotonic() - began
        elif header["op"] != "queued":
            assert header["op"] == "looked", header
            return first, time.monotonic() - began


def _cancel(client: Client, walk: Exploration, pixels: tuple[Picture, bytes]) -> str:
    """A sentence: how long a cancel takes."""
    _ask(client, walk, pixels, CASES[0][1])
    looks = 0
    while looks < 3:
        header, _ = receive(client)
        looks += header["op"] == "look"
    began = time.monotonic()
    client.send({"op": "cancel", "id": header["id"]})
    while receive(client)[0]["op"] != "cancelled":
        pass
    answered = time.monotonic() - began
    ask(client, "layers", model="squeezenet1_1")  # answered by the computing thread
    ended = time.monotonic() - began
    return f"Cancelled: answered after {answered:.3f} s, the processor free after {ended:.2f} s."


if __name__ == "__main__":
    main()
