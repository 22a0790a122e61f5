"""The list of faults, as it stands in daemon/README.md: `python -m tests.faults`."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.faults import catalogue


def load() -> None:
    """Import the tests, which enter themselves into the list."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.faults.{path.stem}")


if __name__ == "__main__":
    load()
    print(catalogue.table())
