"""Separate environments for the bench, so that its packages never mix with Dreamlayer's.

They share torch, torchvision and what comes with them with the environment that the bench runs in,
so that all are measured on the same torch and nothing large is fetched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

PATIENCE = 300.0  # seconds for a package to be installed
DONE = "complete.txt"


class NotInstalled(RuntimeError):
    """A package could not be installed; the text says why."""


def python_with(folder: Path, name: str, packages: list[str]) -> Path:
    """The Python of an environment `name` in `folder` with `packages`, made if it is not there."""
    place = folder / name
    program = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if (place / DONE).exists():
        return program
    venv.create(place, clear=True, with_pip=True)
    paths = {"base": str(place), "platbase": str(place)}
    own = Path(sysconfig.get_path("purelib", vars=paths))
    (own / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    command = [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run(
            [*command, *packages], check=True, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise NotInstalled(last) from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled("pip took too long") from error
    (place / DONE).touch()
    return program


def surroundings(*folders: Path) -> dict[str, str]:
    """The environment's variables for a program in there that imports from `folders`, too."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
