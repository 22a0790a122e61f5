"""The list of faults in daemon/README.md is that of the tests."""

from __future__ import annotations

from pathlib import Path

from tests.faults import catalogue
from tests.faults.__main__ import load

README = Path(__file__).parents[2] / "daemon" / "README.md"
LEAST = 40


def test_the_readme_names_the_faults_that_are_tested() -> None:
    load()
    names = [fault.name for fault in catalogue.FAULTS]
    assert len(set(names)) >= LEAST
    rows = {fault.row() for fault in catalogue.FAULTS}
    text = README.read_text(encoding="utf-8")
    section = text.partition("## Faults\n")[2].partition("\n## ")[0]
    written = {line for line in section.splitlines() if line.startswith("| ")}
    written.discard(catalogue.HEAD.splitlines()[0])
    assert written == rows, "write `python -m tests.faults` into daemon/README.md"
