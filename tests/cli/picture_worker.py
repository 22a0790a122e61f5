"""Runs the command line on one file after another, with a stand-in for the daemon's dream.

Reads lines of JSON: arguments. Writes for each a line of JSON: status, what was written on the
error stream, seconds of computing, and the process's peak memory in bytes meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dreamlayer.cli.main import main
from dreamlayer.dreaming import in_turn
from dreamlayer.dreaming.file_job import FileJob


def stand_in(jobs: Iterable[FileJob], _connect: Any, _watch: Any) -> Iterator[tuple[FileJob, Any]]:
    """In place of `in_turn`: dreams of strength 0, the source's own pixels."""
    for job in jobs:
        with contextlib.closing(job):
            request, (frame, *others) = job.ask()
            values = request.recipe.with_seed().to_dict()
            report = {"recipe": values, "seconds": 0.0, "device": "cpu", "seed": values["seed"]}
            if request.dream_map is not None:
                assert len(others[-1]) == request.dream_map.nbytes
            x, y, width, height = request.region
            rows = np.frombuffer(frame, np.uint8).reshape(
                request.picture.height, request.picture.width, -1
            )
            pixels = rows[y : y + height, x : x + width].tobytes()
            yield job, SimpleNamespace(pixels=pixels, report=report, notes=[], text="")


def peak_memory() -> int:
    """The peak in bytes since it was last asked for."""
    text = Path("/proc/self/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("VmHWM"))
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return int(line.split()[1]) * 1024


def work() -> None:
    answers = os.fdopen(os.dup(1), "w")
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - until the process ends
    os.dup2(errors.fileno(), 2)  # what libraries print counts, too
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        errors.seek(0)
        errors.truncate()
        peak_memory()
        began = time.process_time()
        try:
            status = main(json.loads(line))
        except SystemExit as end:
            status = int(end.code or 0)
        sys.stderr.flush()
        errors.seek(0)
        answer = {
            "status": status,
            "errors": errors.read().decode(errors="replace"),
            "seconds": time.process_time() - began,
            "peak": peak_memory(),
        }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    in_turn.in_turn = stand_in
    work()
