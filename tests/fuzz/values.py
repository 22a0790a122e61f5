"""Values that a header's field may be broken with."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

NUMBERS = (
    -1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0.5, -0.0, 1e-320, 1e308,
    math.inf, -math.inf, math.nan,
)  # fmt: skip
TEXTS = (
    "", " ", "0", "../../etc/passwd", "..\\..\\boot.ini", "/dev/zero", "file:///etc/passwd",
    "%s%n%x", "{0.__class__}", "__import__('os').system('id')", "\0", "\x1b[2J", "ÅÄÖ" * 40,
    "\u202egnp.exe", "\ud7ff", "𝔇" * 30, "a" * 5000, "; rm -rf ~", "$(id)", "NaN", "null", "-1",
)  # fmt: skip


def anything(random: Random, depth: int = 0) -> Any:  # noqa: PLR0911 - a list of cases
    """Some value that msgpack can carry: numbers at the limits, texts, bytes, lists, maps."""
    kind = random.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return random.choice(NUMBERS)
    if kind == 1:
        return random.choice(TEXTS)
    if kind == 2:
        return random.choice((None, True, False))
    if kind == 3:
        return random.getrandbits(random.choice((3, 8, 17, 32, 63)))
    if kind == 4:
        return random.randbytes(random.randrange(40))
    if kind == 5:
        return random.uniform(-1000, 1000)
    if kind == 6:
        return [anything(random, depth + 1) for _ in range(random.randrange(6))]
    return {
        random.choice(TEXTS)[:40]: anything(random, depth + 1) for _ in range(random.randrange(4))
    }


def unlike(random: Random, fits: Callable[[Any], bool]) -> Any:
    """A value for which `fits` is false."""
    while fits(value := anything(random)):
        pass
    return value
