"""The fuzzer: `python -m tests.fuzz --help`."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom

from tests.fuzz import client_side, daemon_side
from tests.fuzz.reports import Run
from tests.server.daemons import Daemon


def against_daemon(run: Run) -> None:
    """A daemon of our own, with the fake studio, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DREAMLAYER_HOME"] = str(Path(folder) / "home")
        daemon = Daemon(Path(folder) / "home")
        try:
            daemon_side.attack(daemon, run)
        finally:
            daemon.kill()


SIDES: dict[str, Callable[[Run], None]] = {
    "daemon": against_daemon,
    "client": client_side.attack,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Malformed greetings, commands, headers and geometries against the real daemon"
        " and against the client: each must be refused, none may crash, hang or leave anything"
        " behind. Only to 127.0.0.1.",
    )
    parser.add_argument("--side", choices=tuple(SIDES), action="append", help="default: both")
    parser.add_argument("--cases", type=int, default=1_000_000, help="at most, for each side")
    parser.add_argument("--minutes", type=float, default=10, help="at most, in all")
    parser.add_argument("--seed", type=int, default=SystemRandom().getrandbits(20))
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    options = parser.parse_args()
    sides = options.side or list(SIDES)
    seconds = options.minutes * 60 / len(sides)
    for side in sides:
        run = Run(options.cases, seconds, options.seed, options.first)
        SIDES[side](run)
        print(f"{side}: {run}", flush=True)


if __name__ == "__main__":
    main()
