"""Blocks of a document that a program writes, each between two marks that hold its name.

    <!-- NAME: begin -->
    what the program wrote
    <!-- NAME: end -->

What stands outside the marks is written by people and is never touched.
"""

from __future__ import annotations

import re
from pathlib import Path

NAMES = re.compile(r"^<!-- (\S+): begin -->$", re.MULTILINE)


class NoBlock(ValueError):
    """A document lacks the marks of a block."""


def read(document: Path, name: str) -> str:
    """Return the text of a block, without its marks; raises NoBlock."""
    return _parts(document, name)[1].strip("\n")


def write(document: Path, name: str, text: str) -> None:
    """Replace the text of a block; raises NoBlock."""
    before, _, after = _parts(document, name)
    document.write_text(f"{before}\n{text.strip()}\n{after}", encoding="utf-8")


def names(document: Path) -> list[str]:
    """Return the names of a document's blocks, in their order."""
    return NAMES.findall(document.read_text(encoding="utf-8"))


def _parts(document: Path, name: str) -> tuple[str, str, str]:
    """The document up to and with the first mark, the block, the rest from the second mark on."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = document.read_text(encoding="utf-8")
    before, found_begin, rest = text.partition(begin)
    inside, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise NoBlock(f"{document} has no marks “{begin}” and “{end}”.")
    return before + begin, inside, end + after
