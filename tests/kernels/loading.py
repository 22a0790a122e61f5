"""Loading a library of the kernel by its path, and what this processor can run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dreamlayer.networks.executors.kernel import library

# The flags of /proc/cpuinfo that each variant needs; only those are there that the system supports.
FLAGS = {
    "avx512": {"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx2": {"avx2", "fma"},
    "portable": set(),
}


def loaded(path: Path, variant: str = "") -> library.Library:
    """A library in one of its variants, by default the fastest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "LIBRARY", path)
        return library._loaded.__wrapped__(variant)


def variants_of(path: Path) -> list[str]:
    return list(library._variants(loaded(path).functions))


def variants_of_this_processor() -> list[str]:
    """By what the system says, the fastest first."""
    text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    flags = set(found[1].split()) if found else set()
    return [name for name, needed in FLAGS.items() if needed <= flags]
