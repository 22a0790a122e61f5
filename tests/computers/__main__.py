"""Every way to install, on every computer: `python -m tests.computers`, about half an hour."""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main([str(Path(__file__).parent), "--every-way", *sys.argv[1:]]))
