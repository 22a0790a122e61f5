"""Dreams on an idle computer and on a busy one: python -m tests.bench.busy.

Each dream is timed with all of torch's threads, and with as many as other programs leave cores
free, as the daemon does it: first alone, then beside as many endless loops as there are cores. The
runs alternate; the median counts. The details must have the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from dreamlayer.engine.dream import dream
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.engine.octave_loop import DreamResult, OctaveProgress
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlayer.runtime.other_programs import INTERVAL, FreeCores, beside_others
from dreamlayer.server.lifecycle import process
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe
from tests.engine.looks import photo

DREAMS = (  # preset, longer side in px, what else the recipe says
    ("creatures", 250, {}),
    ("creatures", 512, {}),
    ("creatures", 80, {"start": "noise"}),
    ("animals", 250, {}),
    ("animals", 1000, {}),
)
LOOP = "while True: pass"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each dream, either way")
    rounds = parser.parse_args().rounds
    cores = torch.get_num_threads()
    print("| dream | alone: all | alone: free cores | beside loops: all | free cores | |")
    print("|---|---|---|---|---|---|", flush=True)
    for preset, side, more in DREAMS:
        recipe = replace(presets.find(preset).recipe(), seed=3, **more)
        network, picture = network_for(recipe), photo("coffee.png", side)
        times = _times(network, recipe, picture, rounds)
        with _loops(cores):
            times += _times(network, recipe, picture, rounds)
        said = "".join(f", {name} {value}" for name, value in more.items())
        cells = " | ".join(f"{seconds:.1f} s" for seconds in times)
        print(f"| {preset}, {side} px{said} | {cells} | {times[2] / times[3]:.1f} × |", flush=True)


def _times(network: Network, recipe: Recipe, picture: Tensor, rounds: int) -> list[float]:
    """Seconds with all threads, and with those that have a free core."""
    free = FreeCores()
    time.sleep(INTERVAL)
    free.count()
    taken: tuple[list[float], list[float]] = ([], [])
    details = []
    for _ in range(rounds):
        for which, seconds in enumerate(taken):
            began = time.monotonic()
            dreaming = dream(picture, network, recipe, Window.whole(*picture.shape[-2:]))
            if which:
                dreaming = beside_others(dreaming, free)
            details.append(_last(dreaming))
            seconds.append(time.monotonic() - began)
    if not all(torch.equal(detail, details[0]) for detail in details):
        sys.exit("The bytes depend on the number of threads.")
    return [statistics.median(seconds) for seconds in taken]


def _last(dreaming: Generator[OctaveProgress, None, DreamResult]) -> Tensor:
    while True:
        try:
            next(dreaming)
        except StopIteration as end:
            result: DreamResult = end.value
            return result.detail


@contextlib.contextmanager
def _loops(count: int) -> Iterator[None]:
    """Programs that compute all the time, each in a session of its own, as a desktop's are."""
    command = [sys.executable, "-c", LOOP]
    running = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for program in running:
            program.kill()
            program.wait()


if __name__ == "__main__":
    if "OMP_WAIT_POLICY" not in os.environ:  # which torch reads once, as it is imported
        process.configure()
        os.execv(sys.executable, [sys.executable, "-m", "tests.bench.busy", *sys.argv[1:]])
    main()
