"""How soon a cancel is answered, for every network: python -m tests.bench.cancelling.

Each network dreams on noise of 1, 9 and 36 megapixels, with random weights where it has no others,
and is cancelled at several moments: while it is being loaded, in the first step, and later. A cell
of the table has the longest time from the cancel to its answer, then the longest time until the
computation has really ended and the next dream can begin; or the memory for which the dream was
refused. The daemon's memory is limited (`--memory`), as it would be on a small computer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dreamlayer.networks.registry import registry
from dreamlayer.networks.registry.catalogue import EMBEDDED, MODELS, PACKAGE
from dreamlayer.server.config import settings
from dreamlayer.server.main import local_studio, serve
from dreamlayer.studio.protocol import Studio
from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.server.daemons import Daemon, ask

if TYPE_CHECKING:
    from torch import nn

SIDES = (1000, 3000, 6000)  # px
LOADING = (0.0, 1.0)  # seconds after the request, while the network is loaded
DREAMING = (0.5, 4.0)  # the same of the network when it is there
SMALL = 128  # px, of the dream that loads it
WITHIN = 1.0  # seconds, for the answer
LONGEST = 300.0  # seconds that are waited for anything


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=list(MODELS), help="default: all")
    parser.add_argument("--memory", type=float, default=16.0, help="GB of address space")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        _serve(arguments.memory)
        return
    program = [sys.executable, "-m", "tests.bench.cancelling", "--serve"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DREAMLAYER_HOME"] = folder
        daemon = Daemon(Path(folder), "--memory", str(arguments.memory), program=program)
        try:
            with contextlib.closing(daemon.connect()) as client:
                late = _table(client, arguments.networks)
        finally:
            daemon.kill()
    sys.exit(f"answered too late: {', '.join(late)}" if late else 0)


def _serve(memory: float) -> None:
    """The daemon; torch is imported late, so that it can be found at once."""
    limit = int(memory * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    serve(_studio)


def _studio() -> Studio:
    """The real studio, with random weights for networks that have none here."""
    from tests.engine.networks import with_random_weights

    trained = registry.load

    def load(name: str) -> nn.Module:
        spec = registry.find(name)
        return trained(name) if spec.weights == EMBEDDED else with_random_weights(name)

    registry.load = load
    return local_studio(settings.load().settings)


def _table(client: Client, networks: Sequence[str]) -> list[str]:
    """Print the table; returns the networks that answered too late."""
    while ask(client, "status")["device"] is None:  # torch is being loaded
        time.sleep(0.1)
    print("| network | loading | 1 MP | 9 MP | 36 MP |\n|---|---|---|---|---|", flush=True)
    late = []
    for name in networks:
        if MODELS[name].weights == PACKAGE and not registry.ready(MODELS[name]):
            continue  # its definition is in a package that is not installed
        loading = _cell(client, name, SIDES[0], LOADING)
        _cancel(client, name, SMALL, LONGEST)  # which ends before: then the network is loaded
        cells = [loading, *(_cell(client, name, side, DREAMING) for side in SIDES)]
        print(f"| {name} | {' | '.join(text for text, _ in cells)} |", flush=True)
        late += [name] * any(seconds > WITHIN for _, seconds in cells)
    return late


def _cell(client: Client, name: str, side: int, moments: Sequence[float]) -> tuple[str, float]:
    """The text of a cell, and the longest time to the answer."""
    answered = ended = 0.0
    for moment in moments:
        text, seconds = _cancel(client, name, side, moment)
        if text is not None:
            return text, 0.0
        answered = max(answered, seconds)
        began = time.monotonic()
        while ask(client, "status")["finishing"]:
            if time.monotonic() - began > LONGEST:
                return f"{answered:.2f}, then over {LONGEST:.0f} s", answered
            time.sleep(0.02)
        ended = max(ended, seconds + time.monotonic() - began)
    return f"{answered:.2f}, {ended:.1f} s", answered


def _cancel(client: Client, name: str, side: int, moment: float) -> tuple[str | None, float]:
    """Begin a dream and cancel it: the reason if it was refused, and the time to the answer."""
    layout = Picture(side, side, "U8", "RGB")
    pixels = np.random.default_rng(1).integers(0, 255, layout.nbytes, np.uint8)
    steps = 1 if side == SMALL else 10
    recipe = Recipe(model=name, layer=MODELS[name].default_layer, octaves=2, steps=steps, seed=1)
    request = DreamRequest(recipe, layout, layout.region)
    client.send(request.header(), pixels.data)
    while client.receive(LONGEST)[0]["op"] != "queued":  # type: ignore[index]
        pass
    until = time.monotonic() + moment
    while (left := until - time.monotonic()) > 0:
        message = client.receive(left)
        if message and message[0]["op"] == "error":
            return _refusal(message[0]["text"]), 0.0
        if message and message[0]["op"] == "done":
            return "done", 0.0
    began = time.monotonic()
    client.send({"op": "cancel", "id": request.id})
    while True:
        message = client.receive(LONGEST)
        if message is None:
            return "no answer", LONGEST
        if message[0]["op"] in ("done", "cancelled"):
            return None, time.monotonic() - began
        if message[0]["op"] == "error":
            return _refusal(message[0]["text"]), 0.0


def _refusal(text: str) -> str:
    found = re.search(r"about ([0-9.]+ GB)", text)
    return f"refused: {found[1]}" if found else text[:80]


if __name__ == "__main__":
    main()
