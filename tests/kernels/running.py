"""Runs recorded work with a library for another processor, in an emulator."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.kernels.builds import SOURCES, TARGETS, built
from tests.kernels.recording import Record

DRIVER = Path(__file__).with_name("driver.cpp")
EMULATOR = "qemu-aarch64"
SYSTEM = Path("/usr/aarch64-linux-gnu")  # the C library for programs that the emulator runs
TARGET = "manylinux_2_17_aarch64"


def why_not() -> str | None:
    """A sentence that says why nothing for ARM can run here; None if it can."""
    if shutil.which(EMULATOR) and SYSTEM.is_dir():
        return None
    return "ARM code runs in an emulator: apt-get install qemu-user libc6-arm64-cross"


def driver(folder: Path) -> Path:
    """Compile the driver for ARM."""
    zig = [sys.executable, "-m", "ziglang"]
    target = ["-target", TARGETS[TARGET].triple]
    part, program = folder / "driver.o", folder / "driver"
    options = ["-std=c++17", "-O1", f"-I{SOURCES}", "-c", str(DRIVER), "-o", str(part)]
    subprocess.run([*zig, "c++", *target, *options], check=True)
    subprocess.run([*zig, "cc", *target, str(part), "-ldl", "-o", str(program)], check=True)
    return program


def variants(program: Path) -> list[str]:
    """What the library reports there."""
    return _emulated(program).split()


def replayed(program: Path, record: Record, folder: Path) -> list[np.ndarray]:
    """The results of recorded work, computed there."""
    work, out = folder / "work", folder / "out"
    record.save(work)
    _emulated(program, work, out)
    return record.read_results(out)


def _emulated(program: Path, *arguments: Path) -> str:
    words = [EMULATOR, "-L", SYSTEM, program, built(TARGET), *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
