"""What a run of a fuzzer finds: counts by kind and outcome, or the one case that failed."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.growth import Holdings

SEED_SHIFT = 40  # a case's own seed is the run's, shifted, plus its number


class Failed(AssertionError):
    """One side did not do with a case what it must; the text says which case and how to repeat."""


@dataclass
class Run:
    """One run against one side.

    Attributes:
        cases: how many at most.
        seconds: how long at most.
        seed: with the number of a case, all that its bytes are made of.
        first: the number of the first case.
    """

    cases: int
    seconds: float
    seed: int
    first: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    number: int = 0
    round: int = 0  # the number of the first case of those that are under way together
    before: Holdings | None = None
    after: Holdings | None = None
    slowest: float = 0.0  # seconds that a healthy client waited for its answer

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.number = self.round = self.first

    def another(self) -> bool:
        """Whether there is to be another round of cases."""
        self.round = self.number
        done = self.number - self.first
        return not (done >= self.cases or time.monotonic() - self.began > self.seconds)

    @property
    def count(self) -> int:
        return sum(self.outcomes.values())

    def next(self) -> Random:
        """The dice for the next case."""
        dice = Random((self.seed << SEED_SHIFT) + self.number)
        self.number += 1
        return dice

    def note(self, kind: str, outcome: str) -> None:
        self.outcomes[kind, outcome] += 1

    def fail(self, kind: str, data: object, reason: str) -> Failed:
        return Failed(
            f"{kind}: {reason}\n  {data!r:.600}\n"
            f"  again: python -m tests.fuzz --seed {self.seed} --first {self.round} --cases 1"
        )

    def __str__(self) -> str:
        seconds = time.monotonic() - self.began
        lines = [f"{self.count} malformed cases in {seconds:.0f} s, seed {self.seed}"]
        for (kind, outcome), count in sorted(self.outcomes.items()):
            lines.append(f"  {kind:9} {outcome:24} {count:8}")
        if self.before and self.after:
            lines.append(f"  before: {self.before}; after: {self.after}")
        if self.slowest:
            lines.append(f"  a healthy client waited {self.slowest * 1000:.0f} ms at most")
        return "\n".join(lines)
