"""The list of faults: each test states what it injects and what the outcome is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fault:
    name: str
    injected: str
    outcome: str
    test: str

    def row(self) -> str:
        """The fault as a row of the table in docs/faults.md."""
        return f"| {self.name} | {self.injected} | {self.outcome} | `{self.test}` |"


FAULTS: list[Fault] = []
HEAD = "| fault | what is injected | outcome | test |\n|---|---|---|---|"


def fault(name: str, injected: str, outcome: str) -> Callable[[Test], Test]:
    """Enter a test into the list."""

    def enter(test: Test) -> Test:
        module = test.__module__.rpartition(".")[2]
        FAULTS.append(Fault(name, injected, outcome, f"{module}.{test.__name__}"))
        return test

    return enter


def table() -> str:
    return "\n".join([HEAD, *(fault.row() for fault in FAULTS)])
