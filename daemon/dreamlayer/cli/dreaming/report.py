"""What `dreamlayer dream` prints."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.wire.messages import Header

REPORTED = ("seconds", "device", "seed", "gain", "megapixel_steps", "notes")


def tell(notes: Iterable[str]) -> None:
    """Print sentences about small losses."""
    for note in filter(None, notes):
        print(f"dreamlayer: {note}", file=sys.stderr)


def described(report: Header, stored: StoredRecipe, output: Path) -> Header:
    """The JSON object about a dream."""
    values = {name: report[name] for name in REPORTED}
    return {**values, **stored.to_dict(), "output": str(output)}


def line(report: Header, output: Path) -> str:
    """The line about a dream that is done, for people."""
    return f"{output}: {report['seconds']:.1f} s on {report['device']}, seed {report['seed']}"
