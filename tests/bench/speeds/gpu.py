"""On a GPU: how much of a matrix product's rate the dream reaches, and the reference's job."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from dreamlayer.engine.image import resize
from dreamlayer.networks.network import extract
from dreamlink.recipe.recipe import Recipe
from tests.bench.speeds import steps
from tests.bench.speeds.machine import product_rate

TILE, STEPS = 1024, 20
# 1500 × 1001 px, 8 octaves of ratio 1.5 from 1.5^-5 to 1.5^2 of the size, 40 steps in each.
REFERENCE = Recipe(
    model="vgg16", layer="features.27", octaves=8, octave_scale=1.5, supersample=2, steps=40,
    seed=7,
)  # fmt: skip
REFERENCE_SIZE = (1001, 1500)


def measure(sizes: list[float]) -> dict[str, Any] | None:
    """Rates and seconds; None where there is no GPU."""
    if not torch.cuda.is_available():
        return None
    rates = {
        "bf16": product_rate(device="cuda", half=True) / 1e3,
        "fp32": product_rate(device="cuda") / 1e3,
    }
    rows = [row for target in steps.TARGETS for row in _rows(target, sizes, rates["bf16"])]
    return {
        "device": torch.cuda.get_device_name(),
        "product_tflops": rates,
        "rows": rows,
        "reference_seconds": _reference(),
    }


def _rows(target: steps.Target, sizes: list[float], rate: float) -> list[dict[str, Any]]:
    network = extract(target.model, [target.layer], "cuda")
    gflop = steps.PlainNetwork(target).gflop()
    rows = []
    for megapixels in sizes:
        source = steps.picture(megapixels).cuda()
        recipe = replace(target.recipe, tile=TILE, steps=STEPS)
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        steps.run(source, network, replace(recipe, steps=3))  # graphs and plans are made
        seconds = _timed(lambda: steps.run(source, network, recipe)) / (  # noqa: B023
            source.shape[-1] * source.shape[-2] * STEPS / 1e6
        )
        rows.append({
            "target": target.title, "megapixels": megapixels, "seconds": seconds,
            "tflops": gflop / seconds / 1e3, "part": gflop / seconds / 1e3 / rate,
            "memory": (torch.cuda.max_memory_allocated() - held) / 1e6,
        })  # fmt: skip
    return rows


def _reference() -> float:
    """Seconds of the reference's job; it took itself 18.4 minutes."""
    source = resize.resize(steps.picture(1.5), REFERENCE_SIZE).clamp(0, 1).cuda()
    network = extract(REFERENCE.model, [REFERENCE.layer], "cuda")
    steps.run(source, network, replace(REFERENCE, steps=2))
    return _timed(lambda: steps.run(source, network, REFERENCE))


def _timed(work: Any) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began
