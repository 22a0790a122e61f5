"""What to run first on a computer with a graphics card that is lent for ten minutes.

PYTHONPATH=.:daemon:plugins/link python -m tests.bench.card [-o FILE] [--device cuda] [--quick]
    [--only PART …]

Parts run in the order of their worth. One that fails ends no other, and what is known so far is
written after each: results as JSON, and a table on standard output, which
`python -m tests.bench.record card` writes into docs/measurements/cards.md with the card's name. It
needs the torch that is there, and no installation. `--device cpu --quick` tests its own code.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.objectives import binding
from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import Network, extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.runtime.devices import choosing, memory, transfer
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe
from tests.bench.speeds import steps
from tests.bench.speeds.gpu import REFERENCE, REFERENCE_SIZE
from tests.engine.looks import photo, run_dream

GB = 1 << 30
NETWORKS = {
    "squeezenet1_1": "features.10",
    "efficientnet-lite0": "_blocks.9",
    "vgg16": "features.27",
    "googlenet": "inception4c",
}
PRECISIONS = ("fp16", "bf16", "tf32", "fp32")
PHOTOS = ("chelsea.png", "coffee.png", "raccoon.jpg")
DREAMS: dict[str, dict[str, object]] = {
    "plain": {},
    "noisy": {"noise": 0.1},
    "laplacian": {"conditioning": "laplacian"},
    "regularised": {"tv": 0.3, "stay": 0.3},
    "seamless": {"wrap": True},
    "painted": {"method": "painted"},
}
FREE = (12, 8, 6)  # GB that a card is said to have free


class Card:
    """The device, and sizes for all of the work or for a quick look at this code."""

    def __init__(self, device: torch.device, quick: bool) -> None:
        self.device, self.quick = device, quick
        self.side = 96 if quick else 256  # px of photos
        self.networks = dict(list(NETWORKS.items())[:1]) if quick else NETWORKS
        self.photos = PHOTOS[:1] if quick else PHOTOS

    def seconds(self, work: Callable[[], object]) -> float:
        """How long some work takes, until the card is done."""
        transfer.finish(self.device)
        began = time.perf_counter()
        work()
        transfer.finish(self.device)
        return time.perf_counter() - began

    def picture(self, megapixels: float) -> Tensor:
        """A picture on the device."""
        side = 0.03 if self.quick else megapixels
        return steps.picture(side).to(self.device)

    def network(self, recipe: Recipe) -> Network:
        """The network of a recipe on the device."""
        return extract(recipe.model, binding.layer_names(recipe), self.device)

    def recipe(self, **values: object) -> Recipe:
        """A recipe with few octaves and steps."""
        few = {"octaves": 2, "steps": 2} if self.quick else {"octaves": 3, "steps": 10}
        return Recipe.of(
            {"model": "squeezenet1_1", "layer": "features.10", "seed": 7, **few} | values
        )


def machine(card: Card) -> dict[str, Any]:
    """The device, its memory, and versions."""
    found = {
        "device": choosing.describe_device(card.device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    if card.device.type == "cuda":
        free, total = torch.cuda.mem_get_info()
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        found |= {"cudnn": cudnn, "free_gb": free / GB, "total_gb": total / GB}
    return found


def own_tests(card: Card) -> dict[str, Any]:
    """The tests that need a card; on the CPU, one of those that do not."""
    chosen = [] if card.device.type == "cuda" else ["-k", "environment"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/networks/test_cuda_executor.py",
        *chosen,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return {"exit": done.returncode, "end": done.stdout.strip().splitlines()[-1:]}


def cosines(card: Card) -> dict[str, Any]:
    """Each network in each precision against float64: the least cosine of the photos."""
    rows: dict[str, Any] = {}
    for model, layer in card.networks.items():
        exact = TapeExecutor(
            program_of(extract(model, [layer], card.device).to(card.device, torch.float64).module)
        )
        program = program_of(extract(model, [layer], card.device).module)
        for precision in PRECISIONS:
            executor = CudaExecutor(program, card.device, precision)
            found = []
            for name in card.photos:
                x = photo(name, card.side).to(card.device)
                one, other = (_gradient(run, x.to(kind)) for run, kind in (
                    (executor, torch.float32), (exact, torch.float64)))  # fmt: skip
                found.append(float(torch.nn.functional.cosine_similarity(one, other, dim=0)))
            rows[f"{model} {precision}"] = min(found)
    return rows


def twice(card: Card) -> dict[str, Any]:
    """Whether each kind of dream has the same bytes the second time, and in a new network."""
    rows: dict[str, Any] = {}
    source = card.picture(0.5)
    for name, values in DREAMS.items():
        recipe = card.recipe(**values)
        results = [run_dream(source, card.network(recipe), recipe).detail.cpu() for _ in range(2)]
        rows[name] = bool(torch.equal(*results))
    return rows


def drills(card: Card) -> dict[str, Any]:
    """A dream with little memory: what it took, or how it failed."""
    recipe, rows = card.recipe(octaves=1), {}
    source = card.picture(6)
    rows["planes in the computer"] = _attempt(card, source.cpu(), recipe)
    for free in FREE:
        with _free_memory(card, free * GB):
            rows[f"{free} GB free"] = _attempt(card, source, recipe)
    if card.device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(0.03)
        try:
            rows["3 % of the card"] = _attempt(card, source, recipe)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
            memory.forget()
    return rows


def waits(card: Card) -> dict[str, Any]:
    """Whether a recorded step makes the computer wait for the card."""
    recipe = card.recipe(octaves=1, steps=6)
    source, network = card.picture(0.5), card.network(recipe)
    run_dream(source, network, recipe)
    run_step, calls = network.run_step, []

    def watched(*given: Any) -> None:
        calls.append(given)
        if card.device.type == "cuda" and len(calls) > 3:
            torch.cuda.set_sync_debug_mode("error")
        try:
            run_step(*given)
        finally:
            if card.device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")

    vars(network)["run_step"] = watched
    run_dream(source, network, recipe)
    return {"steps as one piece of work": len(calls), "waits": "none"}


def limits(card: Card) -> dict[str, Any]:
    """What the machine does at best: a product of matrices, and a copy."""
    side = 512 if card.quick else 8192
    a, b = (torch.randn(side, side, device=card.device).to(torch.bfloat16) for _ in range(2))
    block = torch.zeros(
        (1 << 20) if card.quick else (1 << 30), dtype=torch.uint8, device=card.device
    )
    product, copy = (lambda: a @ b), block.clone
    product(), copy()
    return {
        "bf16 TFLOP/s": 2 * side**3 / min(card.seconds(product) for _ in range(3)) / 1e12,
        "copied GB/s": 2 * block.nbytes / min(card.seconds(copy) for _ in range(3)) / 1e9,
    }


def reference(card: Card) -> dict[str, Any]:
    """The reference job, cold and warm; it took its own program 18.4 minutes."""
    recipe = card.recipe() if card.quick else REFERENCE
    size = (66, 100) if card.quick else REFERENCE_SIZE
    source = resize.resize(card.picture(1.5), size).clamp(0, 1)
    network = card.network(recipe)
    runs = [card.seconds(lambda: run_dream(source, network, recipe)) for _ in range(2)]
    return {"cold s": runs[0], "warm s": runs[1], **_state(network)}


def preset(card: Card) -> dict[str, Any]:
    """The default preset at two megapixels."""
    recipe = presets.find(presets.DEFAULT).recipe()
    recipe = replace(recipe, steps=1, octaves=2) if card.quick else recipe
    source, network = card.picture(2), card.network(recipe)
    runs = [card.seconds(lambda: run_dream(source, network, recipe)) for _ in range(2)]
    return {"cold s": runs[0], "warm s": runs[1], **_state(network)}


def profile(card: Card) -> dict[str, Any]:
    """Where three steps spend the time."""
    from torch.profiler import ProfilerActivity

    recipe = card.recipe(
        octaves=1, steps=3, **({} if card.quick else {"model": "vgg16", "layer": "features.27"})
    )
    source, network = card.picture(1.5), card.network(recipe)
    run_dream(source, network, recipe)
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (card.device.type == "cuda")
    with torch.profiler.profile(activities=kinds) as found:
        run_dream(source, network, recipe)
    spent = "self_device_time_total" if card.device.type == "cuda" else "self_cpu_time_total"
    rows = sorted(found.key_averages(), key=lambda row: -getattr(row, spent))
    return {
        row.key[:60]: f"{getattr(row, spent) / 1e3:.2f} ms, {row.count} times" for row in rows[:15]
    }


PARTS: dict[str, Callable[[Card], dict[str, Any]]] = {
    "machine": machine, "tests": own_tests, "cosine to float64": cosines, "twice": twice,
    "memory": drills, "waits": waits, "limits": limits, "reference job": reference,
    "preset": preset, "profile": profile,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("build/card.json"), metavar="FILE"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="small sizes: to test this program")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    arguments = parser.parse_args()
    card = Card(choosing.find(arguments.device), arguments.quick)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        _put_weights(Path(folder), card)
        for name in arguments.only:
            began = time.perf_counter()
            found[name] = _guarded(PARTS[name], card)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            arguments.output.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(table(found))
    sys.exit(any("error" in row for row in found.values()))


def table(found: dict[str, dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    lines = ["| part | what | result |", "| --- | --- | --- |"]
    for part, row in found.items():
        for what, value in row.items():
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            lines.append(
                f"| {part} | {what} | {text.replace('|', '/').splitlines()[-1] if text else ''} |"
            )
    return "\n".join(lines)


def _guarded(part: Callable[[Card], dict[str, Any]], card: Card) -> dict[str, Any]:
    try:
        return part(card)
    except Exception:
        return {"error": traceback.format_exc()}
    finally:
        memory.free_memory()


def _put_weights(folder: Path, card: Card) -> None:
    """Random weights for networks whose own are not here; a dream takes the same time with them."""
    os.environ.setdefault("DREAMLAYER_HOME", str(folder))
    if not card.quick:
        steps.make_weights(folder / "weights", [])


def _gradient(executor: Any, x: Tensor) -> Tensor:
    computed = executor.run(x)
    gradient: Tensor = computed.backward([2 * cells for cells in computed.maps])
    return gradient.double().flatten()


def _state(network: Network) -> dict[str, Any]:
    """What a network's executor has done."""
    executor = vars(network).get("_executor")
    work = getattr(executor, "_work", None)
    return {
        "precision": getattr(executor, "precision", None),
        "recordings": work.recorded if work else 0,
        "seconds a pixel": work.seconds_per_pixel if work else None,
    }


def _attempt(card: Card, source: Tensor, recipe: Recipe) -> str:
    network = card.network(recipe)
    if card.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        seconds = card.seconds(lambda: run_dream(source, network, recipe))
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    most = torch.cuda.max_memory_reserved() / GB if card.device.type == "cuda" else 0.0
    return f"{seconds:.2f} s, {most:.1f} GB, {_state(network)['recordings']} recordings"


@contextmanager
def _free_memory(card: Card, free: float) -> Iterator[None]:
    """A card says that it has so many bytes free, and that torch holds none."""
    if card.device.type != "cuda":
        yield
        return
    before = torch.cuda.mem_get_info
    torch.cuda.mem_get_info = lambda *_: (int(free), int(free * 1.2))  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.cuda.mem_get_info = before


if __name__ == "__main__":
    main()
