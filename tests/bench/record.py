"""Run a bench and write its figures into its page of docs/measurements.

python -m tests.bench.record BENCH [OPTION …]

    python -m tests.bench.record memory --sizes 1 16 100 --octaves 4

The options are the bench's own. The page gets the command and all that the bench prints, in place
of what the block of this name held. A bench that fails changes nothing.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from tests import marked

DOCUMENTS = Path(__file__).parents[2] / "docs" / "measurements"
PAGES = {
    "speed": "speed.md",
    "exactness": "exactness.md",
    "memory": "memory.md",
    "quality": "quality.md",
    "classes": "classes.md",
    "blending": "blending.md",
    "flicker": "films.md",
    "answering": "link.md",
    "krita_blocking": "krita.md",
}


def block(command: list[str], printed: str) -> str:
    """The text of a block: the command, then its tables, or its lines as they were printed."""
    text = printed.strip()
    if not any(line.startswith("| ") for line in text.splitlines()):
        text = f"```\n{text}\n```"
    return f"`{shlex.join(command)}`\n\n{text}"


def main(arguments: list[str]) -> int:
    """Run a bench and write what it printed; returns its exit status."""
    if not arguments or arguments[0] not in PAGES:
        print(f"{__doc__}\nBenches: {', '.join(PAGES)}.", file=sys.stderr)
        return 2
    name, module = arguments[0], f"tests.bench.{arguments[0]}"
    options = arguments[1:]
    done = subprocess.run(
        [sys.executable, "-m", module, *options], stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout)
    if done.returncode == 0:
        command = ["python", "-m", module, *options]
        marked.write(DOCUMENTS / PAGES[name], name, block(command, done.stdout))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
