"""Ways to install that take too long for every run: `python -m tests.computers`, half an hour."""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    here = Path(__file__).parent
    hosts = [str(here.parent / "hosts" / f"test_{name}.py") for name in ("installing", "old_hosts")]
    sys.exit(pytest.main([str(here), *hosts, "--every-way", "-m", "every_way", *sys.argv[1:]]))
