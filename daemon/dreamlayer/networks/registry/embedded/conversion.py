"""The command line of the scripts that convert the embedded networks' weights."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path


def run(arguments: Sequence[str], text: str, convert: Callable[[Path], bytes]) -> int:
    """Convert the first of two paths into the second; returns the exit status.

    Args:
        text: the script's docstring, whose second paragraph says how it is called.
        convert: gives the content of the new file. Errors are printed.
    """
    if len(arguments) != 2:
        sys.stderr.write(text.split("\n\n")[1].strip() + "\n")
        return 2
    source, out = map(Path, arguments)
    try:
        out.write_bytes(convert(source))
    except (OSError, ValueError, tarfile.TarError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
