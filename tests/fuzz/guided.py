"""Coverage-guided fuzzing of the parsers, with atheris: `python -m tests.fuzz.guided --help`.

atheris has no wheels for every system and Python, so that it is no part of the test extra: an
environment with `pip install atheris==3.0.0 msgpack` will do, as dreamlink is pure Python.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.harnesses import CORPUS, HARNESSES, seeds

INPUT_MAX = 2048  # bytes
Way = tuple[str, int, int]  # file, and from which line to which


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.guided",
        description="Run the link's parsers under atheris, beginning with the corpus that is kept,"
        " and keep what reaches code that nothing in it reaches.",
    )
    parser.add_argument("--harness", choices=tuple(HARNESSES), action="append", help="default: all")
    parser.add_argument("--seconds", type=int, default=600, help="in all")
    options = parser.parse_args()
    names = options.harness or list(HARNESSES)
    for name in names:
        found = _explore(name, options.seconds // len(names))
        print(f"{name}: {found} inputs in the corpus", flush=True)


def _explore(name: str, seconds: int) -> int:
    """Fuzz one harness from its corpus, in a process of its own; then choose what to keep."""
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder)
        for number, data in enumerate(seeds(name)):
            (found / f"seed-{number}").write_bytes(data)
        run = [sys.executable, "-m", "tests.fuzz.guided_run", name, f"-max_len={INPUT_MAX}"]
        subprocess.run([*run, f"-max_total_time={seconds}", folder, str(kept)], check=True)
        inputs = [path.read_bytes() for path in (*found.iterdir(), *kept.iterdir())]
    chosen = _chosen(HARNESSES[name], inputs)
    for old in kept.iterdir():
        old.unlink()
    for data in chosen:
        (kept / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    return len(chosen)


def _chosen(harness: Callable[[bytes], None], inputs: list[bytes]) -> list[bytes]:
    """The shortest inputs that together go every way from line to line that all of them go."""
    seen: set[Way] = set()
    chosen = []
    for data in sorted(inputs, key=lambda data: (len(data), data)):
        new = _ways(harness, data) - seen
        if new:
            seen |= new
            chosen.append(data)
    return chosen


def _ways(harness: Callable[[bytes], None], data: bytes) -> set[Way]:
    ways: set[Way] = set()

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        if "dreamlink" not in frame.f_code.co_filename:
            return None
        last = 0

        def line(frame: FrameType, _event: str, _argument: Any) -> Any:
            nonlocal last
            ways.add((frame.f_code.co_filename, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line

    sys.settrace(trace)
    try:
        harness(data)
    finally:
        sys.settrace(None)
    return ways


if __name__ == "__main__":
    main()
