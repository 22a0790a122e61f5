"""How the results of two libraries differ over the same work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dreamlayer.networks.executors.kernel import library
from dreamlayer.networks.program.lowering import Program
from tests.kernels.loading import loaded
from tests.kernels.recording import recorded


@dataclass(frozen=True)
class Difference:
    """`error` is the norm of the difference over that of the expected numbers."""

    bits: bool
    error: float
    kinds: frozenset[int]


def difference(
    expected: Sequence[np.ndarray], computed: Sequence[np.ndarray], kinds: set[int]
) -> Difference:
    pairs = list(zip(expected, computed, strict=True))
    errors = [np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in pairs]
    same = all(a.tobytes() == b.tobytes() for a, b in pairs)
    return Difference(same, float(max(errors)), frozenset(kinds))


def compare(path: Path, variant: str, program: Program, size: tuple[int, int]) -> Difference:
    """Run a program with the installed library and with another one that runs here, too."""
    expected = recorded(loaded(library.LIBRARY, variant), program, size)
    computed = recorded(loaded(path, variant), program, size)
    return difference(expected.results(), computed.results(), expected.kinds)
