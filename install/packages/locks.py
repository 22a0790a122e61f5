"""The lists of packages with their hashes (`install/locked/`), which pip obeys.

A list has every package of its kind, also those that only others require, for all systems and
Pythons, each with a marker that says for which. `python -m install.locking` makes them.
"""

from __future__ import annotations

import json
from pathlib import Path

from install.errors import InstallError

FOLDER = Path("install", "locked")
COVERAGE = "coverage.json"  # for which systems and Pythons the lists of PyTorch are complete
GENERAL = "pypi"  # the builds of PyTorch that the general package index has
SYSTEMS = {
    ("linux", "x86"): "linux-x86_64",
    ("linux", "arm"): "linux-aarch64",
    ("win32", "x86"): "windows-x64",
    ("darwin", "arm"): "macos-arm64",
}


def options(checkout: Path, *names: str) -> list[str]:
    """The options with which pip installs the packages of these lists, and no others.

    Raises:
        InstallError: a list is missing.
    """
    found = ["--require-hashes", "--only-binary", ":all:"]
    for name in names:
        path = checkout / FOLDER / f"{name}.txt"
        if not path.is_file():
            raise InstallError(
                f"{path} is missing: unpack Dreamlayer again, then run install.py again."
            )
        found += ["-r", str(path)]
    return found


def of_build(build: str) -> str:
    """The name of the list of a build of PyTorch."""
    return f"torch-{build}"


def has_build(checkout: Path, build: str, system: str, version: tuple[int, ...]) -> bool:
    """Whether the list of a build has all hashes for a system and a version of Python.

    Args:
        system: with its processor, as in SYSTEMS.
        version: at least major and minor version, e.g. (3, 12).
    """
    try:
        told = json.loads((checkout / FOLDER / COVERAGE).read_text(encoding="utf-8"))
        return ".".join(map(str, version[:2])) in told[build][system]
    except (OSError, ValueError, KeyError, TypeError):
        return False
