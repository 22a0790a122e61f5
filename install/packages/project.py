"""Installs Dreamlayer itself: the wheel that came with it, or one that is built from its sources.

A wheel has the compiled kernel inside. From sources the kernel is compiled if there is a compiler.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from dreamlink import VERSION
from install.environment import STAMP, Environment
from install.packages import locks, sources
from install.packages.pip import pip_install
from install.packages.sources import PackageSource

WHEELS = "wheels"  # the folder in a release archive
SOURCES = (
    "pyproject.toml", "README.md", "LICENSE", "daemon", "plugins/link/dreamlink",
    "install/locked", WHEELS,
)  # fmt: skip


def install_project(
    environment: Environment, checkout: Path, source: PackageSource, log: Path
) -> None:
    """Install Dreamlayer, without its libraries, and stamp the environment as complete.

    Args:
        source: where the packages are that are needed to build it.

    Raises:
        InstallError: with what to do.
    """
    stamp = fingerprint(checkout)  # first, so that a change meanwhile is noticed
    (environment.folder / STAMP).unlink(missing_ok=True)
    for folder in (checkout / WHEELS, source.folder):
        if folder and folder.is_dir() and _has_wheel(environment, folder):
            wheel = sources.of_folder(folder).options
            options = ["--no-deps", "--force-reinstall", *wheel, f"dreamlayer=={VERSION}"]
            pip_install(environment, log, *options)
            break
    else:
        _build(environment, checkout, source, log)
    (environment.folder / STAMP).write_text(stamp, encoding="utf-8")


def is_current(environment: Environment, checkout: Path) -> bool:
    """Whether the environment was made completely, from exactly these sources."""
    try:
        stamp = (environment.folder / STAMP).read_text(encoding="utf-8")
    except OSError:
        return False
    return stamp == fingerprint(checkout) and environment.works()


def fingerprint(checkout: Path) -> str:
    """A hash of what is to be installed."""
    digest = hashlib.sha256()
    for source in SOURCES:
        top = checkout / source
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            name = path.relative_to(checkout)
            if path.is_file() and "__pycache__" not in name.parts:
                content = path.read_bytes()
                digest.update(f"{name.as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _has_wheel(environment: Environment, folder: Path) -> bool:
    return sources.offers(environment, sources.of_folder(folder), [f"dreamlayer=={VERSION}"])


def _build(environment: Environment, checkout: Path, source: PackageSource, log: Path) -> None:
    """Build and install it with the locked tools, which are in no environment of the user's."""
    with tempfile.TemporaryDirectory() as tools:
        locked = locks.options(checkout, "build")
        pip_install(environment, log, "--quiet", "--target", tools, *source.options, *locked)
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--force-reinstall"]
        variables = {"PYTHONPATH": tools, "PYTHONDONTWRITEBYTECODE": "1"}  # the sources stay clean
        pip_install(environment, log, *options, str(checkout), **variables)
