"""Run a bench and write its figures into its page of docs/measurements.

python -m tests.bench.record BENCH [OPTION …]

    python -m tests.bench.record memory --sizes 1 16 100 --octaves 4

The options are the bench's own. The page gets the command, the machine and all that the bench
prints, in place of what the block of this name held. A bench that fails changes nothing.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests import marked

DOCUMENTS = Path(__file__).parents[2] / "docs" / "measurements"


class Bench(NamedTuple):
    """A module that prints figures, and the page that shows them."""

    module: str
    page: str


BENCHES = {
    "speed": Bench("tests.bench.speed", "speed.md"),
    "busy": Bench("tests.bench.busy", "speed.md"),
    "exactness": Bench("tests.bench.exactness", "exactness.md"),
    "memory": Bench("tests.bench.memory", "memory.md"),
    "quality": Bench("tests.bench.quality", "quality.md"),
    "classes": Bench("tests.bench.classes", "classes.md"),
    "seeing": Bench("tests.bench.seeing", "seeing.md"),
    "maps": Bench("tests.bench.maps", "maps.md"),
    "exploring": Bench("tests.bench.exploring", "exploring.md"),
    "blending": Bench("tests.bench.blending", "blending.md"),
    "films": Bench("tests.bench.flicker", "films.md"),
    "answering": Bench("tests.bench.answering", "link.md"),
    "krita_blocking": Bench("tests.bench.krita_blocking", "krita.md"),
    "cancelling": Bench("tests.bench.cancelling", "cancelling.md"),
    "batch": Bench("tests.bench.batch", "batch.md"),
    "fuzz": Bench("tests.fuzz", "fuzz-and-soak.md"),
    "sanitized_kernel": Bench("tests.fuzz.sanitized_kernel", "fuzz-and-soak.md"),
    "soak": Bench("tests.soak", "fuzz-and-soak.md"),
    "kernels": Bench("tests.kernels", "exactness.md"),
    "precision": Bench("tests.bench.precision", "cards.md"),
    "card": Bench("tests.bench.card", "cards.md"),
    "windows": Bench("tests.windows", "windows.md"),
}


def block(command: list[str], machine: str, printed: str) -> str:
    """The text of a block: command, machine, then the tables, or the lines as they were printed."""
    text = printed.strip()
    if not any(line.startswith("| ") for line in text.splitlines()):
        text = f"```\n{text}\n```"
    return f"`{shlex.join(command)}` on {machine}:\n\n{text}"


def machine() -> str:
    """The processor, its cores, and torch's version; importing torch takes a moment."""
    from tests.bench.speeds.machine import describe

    facts = describe()
    gpu = f", {facts['gpu']}" if facts["gpu"] else ""
    return f"{facts['processor']}, {facts['cores']} cores, torch {facts['torch']}{gpu}"


def main(arguments: list[str]) -> int:
    """Run a bench and write what it printed; returns its exit status."""
    if not arguments or arguments[0] not in BENCHES:
        print(f"{__doc__}\nBenches: {', '.join(BENCHES)}.", file=sys.stderr)
        return 2
    name, *options = arguments
    bench = BENCHES[name]
    done = subprocess.run(
        [sys.executable, "-m", bench.module, *options],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    print(done.stdout)
    if done.returncode == 0:
        command = ["python", "-m", bench.module, *options]
        marked.write(DOCUMENTS / bench.page, name, block(command, machine(), done.stdout))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
