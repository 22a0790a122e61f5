"""Write the list of faults into docs/faults.md: `python -m tests.faults`."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests import marked
from tests.faults import catalogue

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"


def load() -> None:
    """Import the tests, which enter themselves into the list."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.faults.{path.stem}")


if __name__ == "__main__":
    load()
    marked.write(DOCUMENT, "faults", catalogue.table())
    print(f"{len(catalogue.FAULTS)} faults are listed in {DOCUMENT}.")
