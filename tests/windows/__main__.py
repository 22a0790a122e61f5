"""Dreamlayer in a stand-in for Windows: Wine on Debian, see README.md.

    python -m tests.windows [STEP …]

Without names all steps run, in their order. Later ones need what earlier ones installed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from install import roots
from tests.windows import stand_in, steps, user
from tests.windows.wine import Windows, ensured_root


def main(names: list[str]) -> int:
    """Run the steps; returns 1 if one failed."""
    reason = stand_in.why_not()
    if reason:
        print(reason, file=sys.stderr)
        return 2
    known = {step.__name__: step for step in steps.STEPS}
    if unknown := set(names) - set(known):
        print(f"There is no step {', '.join(unknown)}: {', '.join(known)}.", file=sys.stderr)
        return 2
    root = ensured_root()
    parts = stand_in.made(root)
    # In the cache, where a package's files can be second names of those that were fetched.
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=roots.cache() / "windows"))
    windows = Windows(root, parts, folder)
    try:
        return _run(windows, parts, folder, [known[name] for name in names or known])
    finally:
        windows.close()
        shutil.rmtree(folder, ignore_errors=True)


def _run(windows: Windows, parts: Path, folder: Path, chosen: list[steps.Step]) -> int:
    windows.start()
    wheel = stand_in.own_wheel(folder)
    user.make_environment(windows, parts, wheel)
    user.make_hosts(windows)
    version = windows.version()
    print(f"| step in {version} | seconds | seen |\n|---|---|---|", flush=True)
    for step in chosen:
        began = time.monotonic()
        about = (step.__doc__ or "").split("\n")[0].rstrip(".")
        try:
            seen = step(windows)
        except AssertionError as error:
            print(f"{step.__name__} ({about}) failed. {error}", file=sys.stderr)
            return 1
        print(f"| {about} | {time.monotonic() - began:.0f} | {seen} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
