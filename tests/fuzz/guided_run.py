"""One harness under atheris, with libFuzzer's own options; started by `guided.py`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["dreamlink"]):
    from tests.fuzz.harnesses import HARNESSES

if __name__ == "__main__":
    harness = HARNESSES[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], harness)
    atheris.Fuzz()
