"""The kernel compiled for a target, once for each state of its sources."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

from install import roots

CHECKOUT = Path(__file__).parents[2]
SOURCES = CHECKOUT / "daemon" / "kernels"
sys.path.insert(0, str(SOURCES))

import kernel_compiler  # noqa: E402
import kernel_targets  # noqa: E402

TARGETS = kernel_targets.TARGETS
NO_ZIG = "the compiler for other systems is not installed: pip install ziglang"


def has_zig() -> bool:
    return importlib.util.find_spec("ziglang") is not None


@cache
def built(name: str) -> Path:
    """The library for a target, in a folder of the tests' cache."""
    target = TARGETS[name]
    library = roots.cache() / "kernels" / f"{name}-{_state()}" / target.file
    with roots.locked(library.parent.with_suffix(".lock"), print):
        if not library.is_file():
            library.parent.mkdir(parents=True, exist_ok=True)
            kernel_compiler.compile_library(library, kernel_compiler.cross_compiler(target))
    return library


def _state() -> str:
    files = [path for path in sorted(SOURCES.iterdir()) if path.suffix in {".cpp", ".h", ".py"}]
    contents = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(contents).hexdigest()[:12]
