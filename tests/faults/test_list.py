"""docs/faults.md lists the faults that are tested."""

from __future__ import annotations

from tests import marked
from tests.faults import catalogue
from tests.faults.__main__ import DOCUMENT, load

FAULTS_MIN = 40


def test_the_document_lists_the_faults_that_are_tested() -> None:
    load()
    names = [fault.name for fault in catalogue.FAULTS]
    assert len(set(names)) >= FAULTS_MIN
    written, tested = marked.read(DOCUMENT, "faults"), catalogue.table()
    # Tests enter themselves in the order in which they are imported, which is pytest's affair.
    assert sorted(written.splitlines()) == sorted(tested.splitlines()), "run python -m tests.faults"
