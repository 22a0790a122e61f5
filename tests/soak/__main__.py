"""The soak: `python -m tests.soak --help`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

from tests.server.daemons import FAKE, Daemon
from tests.soak.soak import soak

REAL = [sys.executable, "-m", "dreamlayer", "serve"]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Thousands of small dreams by clients that cancel, blend, keep, leave, come"
        " back and are killed: each is answered, and the daemon holds no more at the end.",
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=SystemRandom().getrandbits(20))
    parser.add_argument("--real", action="store_true", help="with the real network; slower")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DREAMLAYER_HOME"] = str(Path(folder) / "home")
        os.environ["DREAMLAYER_TEST_TILE"] = "0.001"
        daemon = Daemon(Path(folder) / "home", program=REAL if options.real else FAKE)
        try:
            outcome = soak(
                daemon, options.jobs, options.clients, options.seed, real=options.real, show=print
            )
        finally:
            daemon.kill()
    print(outcome)
    sys.exit(bool(outcome.problems))


if __name__ == "__main__":
    main()
