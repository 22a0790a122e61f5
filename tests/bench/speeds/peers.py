"""The dream programs that pip can install, each driven in an environment of its own.

They dream on the same picture with octaves and steps as asked, on VGG16 with the same random
weights, with as many threads as ours. What they do beyond what was asked counts: neural-dream
computes more steps than it is told to, lucent runs the whole network and the weights' gradients.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from dreamlink.recipe.recipe import Recipe
from tests.bench.speeds import environments, steps
from tests.networks.random_states import random_state

PEERS = {"neural-dream": "neural-dream==0.0.4", "lucent": "torch-lucent==0.1.8"}
PROGRAM = Path(__file__).with_name("peer.py")
ROOT = Path(__file__).parents[3]
SIDE, OCTAVES, STEPS, SHRINK = 512, 2, 3, 0.6  # neural-dream's own ratio of octaves
PATIENCE = 300.0  # seconds for one run


def recipe() -> Recipe:
    return Recipe(
        model="vgg16", layer="features.25", octaves=OCTAVES, octave_scale=1 / SHRINK, steps=STEPS,
        seed=7,
    )  # fmt: skip


def work() -> float:
    """Megapixel-steps of what is asked."""
    sides = [round(SIDE * SHRINK**octave) for octave in range(OCTAVES)]
    return sum(side**2 for side in sides) * STEPS / 1e6


def compare(folder: Path, cores: int, times: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows for ours, the plain loop and the peers, interleaved; and why a peer is missing."""
    source = steps.picture(SIDE**2 / 1e6, 1.0)
    programs, missing = _prepared(folder, source)
    rows: dict[str, list[dict[str, Any]]] = {}
    with steps.runners(steps.VGG, folder / "weights") as these:
        for _ in range(times):
            for name, runner in these.of.items():
                spent = runner.dream(recipe().to_dict(), SIDE**2 / 1e6, 1.0)
                row = {"seconds": spent.wall, "core_seconds": spent.cores, "memory": spent.memory}
                rows.setdefault(name, []).append(row)
            for name, program in list(programs.items()):
                try:
                    rows.setdefault(name, []).append(_run(program, name, folder, cores))
                except (subprocess.SubprocessError, ValueError) as error:
                    missing[name] = _reason(error)
                    del programs[name], rows[name]
    return [_row(name, runs) for name, runs in rows.items()], missing


def _prepared(folder: Path, source: Tensor) -> tuple[dict[str, Path], dict[str, str]]:
    """The Pythons of the peers that could be installed, and why others could not."""
    pixels = (source[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(folder / "source.png")
    weights = folder / "vgg16.pth"
    if not weights.exists():
        torch.save(random_state("vgg16", 1000), weights)
    programs, missing = {}, {}
    for name, package in PEERS.items():
        try:
            programs[name] = environments.python_with(folder, name, [package])
        except (environments.NotInstalled, OSError) as error:
            missing[name] = str(error)
    return programs, missing


def _run(program: Path, name: str, folder: Path, cores: int) -> dict[str, Any]:
    task = {
        "peer": name, "folder": str(folder), "cores": cores, "side": SIDE, "octaves": OCTAVES,
        "steps": STEPS, "shrink": SHRINK,
    }  # fmt: skip
    done = subprocess.run(
        [str(program), str(PROGRAM), json.dumps(task)],
        env=environments.surroundings(ROOT, ROOT / "daemon", ROOT / "plugins" / "link"),
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return report


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr.strip().splitlines() or ["it failed"])[-1]
    return str(error)


def _row(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    done = work()
    memory = [row["memory"] for row in rows if row["memory"] is not None]
    return {
        "runner": name,
        "seconds": median(row["seconds"] for row in rows) / done,
        "core_seconds": median(row["core_seconds"] for row in rows) / done,
        "memory": max(memory, default=None),
    }
