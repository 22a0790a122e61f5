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
    rows = {fault.row() for fault in catalogue.FAULTS}  # pytest may import a module once more
    written = marked.read(DOCUMENT, "faults").splitlines()
    head = catalogue.HEAD.splitlines()
    assert written[: len(head)] == head
    assert sorted(written[len(head) :]) == sorted(rows), "run python -m tests.faults"
