"""How fast Dreamlayer is, beside the plain loop of 2015 and the programs that pip brings.

python -m tests.bench.speed [--quick] [--json FILE] [--plots FOLDER] [--only PART,PART …]
                            [--target NAME]

One run measures everything, interleaved, and prints medians as tables;
`python -m tests.bench.record speed …` writes them into docs/measurements/speed.md.
About 17 minutes on two idle cores, --quick about 6. The first run makes environments for the peers
(pip) in --work. Parts: steps, peers, scaling, start, link, looks, memory, gpu.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.speeds import environments, gpu, machine, peers, service, steps, tables

WORK = Path(tempfile.gettempdir()) / "dreamlayer-bench"
MEMORY = [sys.executable, "-m", "tests.bench.memory"]
PATIENCE = 600.0  # seconds for tests/bench/memory.py
PLOTS = Path(__file__).parent / "speeds" / "plots.py"


@dataclass
class Plan:
    """How much is measured: sizes in megapixels, and how often each."""

    sizes: dict[float, int]
    large: tuple[str, ...]  # the targets that are measured at the largest size
    peers: int
    scaling: float
    times: int
    link: list[float]
    layers: list[float]


FULL = Plan({0.25: 5, 1.0: 3, 4.0: 1},
            ("VGG16@25", "GoogLeNet 4c", "SqueezeNet@10", "SqueezeNet@12"),
            2, 1.0, 5, [4.0, 16.0, 100.0], [1.0, 16.0, 100.0])  # fmt: skip
QUICK = Plan({0.25: 2, 1.0: 1}, (), 1, 0.25, 3, [4.0, 16.0], [1.0, 16.0])


@dataclass
class Bench:
    """One run; the JSON file holds its `figures`."""

    plan: Plan
    work: Path
    targets: tuple[steps.Target, ...]
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        """The folder of the networks' weights."""
        return self.work / "weights"

    def steps(self) -> None:
        rows, missing, rates = [], set(), []
        largest = max(self.plan.sizes)
        for target in self.targets:
            with steps.runners(target, self.weights) as these:
                missing |= set(these.missing)
                for size, times in self.plan.sizes.items():
                    rates.append(_rates())
                    if size < largest or not self.plan.large or target.title in self.plan.large:
                        rows += steps.compare(these, size, times)
                        say(f"{target.title} at {size:g} MP")
        self.figures["rates"] = {n: sorted(r[n] for r in rates)[len(rates) // 2] for n in rates[0]}
        self.figures["steps"] = [_against_floor(row, self.figures["rates"]) for row in rows]
        self.figures["missing_paths"] = sorted(missing)

    def peers(self) -> None:
        rows, missing = peers.compare(self.work, machine.cores(), self.plan.peers)
        self.figures["peers"], self.figures["missing_peers"] = rows, missing

    def scaling(self) -> None:
        targets = [steps.VGG, steps.TARGETS[2]]
        self.figures["scaling"] = [
            row
            for target in targets
            for row in steps.scaling(target, self.weights, self.plan.scaling, machine.cores(), 1)
        ]

    def start(self) -> None:
        self.figures["start"] = service.start(self.plan.times)

    def link(self) -> None:
        self.figures["link"] = service.link(self.plan.link, self.plan.times)
        self.figures["default_dream"] = {"megapixels": 4.0, "seconds": service.default_dream(4.0)}

    def looks(self) -> None:
        self.figures["looks"] = service.dreams(self.plan.times, self.plan.layers)

    def memory(self) -> None:
        file = self.work / "memory.json"
        sizes = ["--sizes", *(f"{size:g}" for size in self.plan.layers)]
        command = [*MEMORY, *sizes, "--json", str(file)]
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)
        self.figures["memory"] = json.loads(file.read_text(encoding="utf-8"))["dreams"]

    def gpu(self) -> None:
        self.figures["gpu"] = gpu.measure(list(self.plan.sizes))


PARTS: dict[str, Callable[[Bench], None]] = {
    name: getattr(Bench, name)
    for name in ("start", "link", "looks", "steps", "peers", "scaling", "gpu", "memory")
}


def _rates() -> dict[str, float]:
    """GFLOP/s of a matrix product, on one core and on all."""
    return {"one": machine.product_rate(1), "all": machine.product_rate(machine.cores())}


def _against_floor(row: dict[str, Any], rates: dict[str, float]) -> dict[str, Any]:
    """A row with its ratio to the floor: all multiplications at one core's best rate.

    Winograd's algorithm needs fewer of them, so it can be above 1.
    """
    return {**row, "floor": row["gflop"] / rates["one"] / row["core_seconds"]}


def say(text: str) -> None:
    """Report progress on the standard error; the standard output has the tables only."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def measure(bench: Bench, parts: list[str]) -> None:
    """Measure each part; if one fails, note the reason and go on."""
    bench.figures["machine"] = machine.describe()
    bench.figures["failed"] = {}
    for name in parts:
        say(name)
        began = time.perf_counter()
        try:
            PARTS[name](bench)
        except Exception as error:
            traceback.print_exc()
            bench.figures["failed"][name] = f"{type(error).__name__}: {error}"
        bench.figures.setdefault("took", {})[name] = time.perf_counter() - began


def plot(figures: Path, folder: Path, work: Path) -> None:
    """Draw the figures of a JSON file as PNGs, in an environment that has matplotlib."""
    program = environments.python_with(work, "plots", ["matplotlib==3.10.0"])
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(program), str(PLOTS), str(figures), str(folder)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="less often, without the large sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures; - for the output")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw them as PNGs")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help="some of it")
    parser.add_argument(
        "--target",
        default="",
        help="steps of these alone, e.g. SqueezeNet@10;"
        " MobileNet-v2 and EfficientNet-Lite0 are measured only so",
    )
    parser.add_argument("--work", type=Path, default=WORK, help=f"weights, environments ({WORK})")
    options = parser.parse_args()
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    options.work.mkdir(parents=True, exist_ok=True)
    targets = steps.titled(options.target)
    bench = Bench(QUICK if options.quick else FULL, options.work, targets)
    steps.make_weights(bench.weights, targets)
    began = time.perf_counter()
    measure(bench, parts)
    bench.figures["seconds"] = time.perf_counter() - began
    text = json.dumps(bench.figures, indent=1)
    if str(options.json) == "-":
        print(text)
        return
    kept = options.json or options.work / "speed.json"
    kept.write_text(text + "\n", encoding="utf-8")
    print(tables.markdown(bench.figures))
    if options.plots:
        try:
            plot(kept, options.plots, options.work)
        except (environments.NotInstalled, subprocess.CalledProcessError) as error:
            say(f"no plots: {error}")


if __name__ == "__main__":
    main()
