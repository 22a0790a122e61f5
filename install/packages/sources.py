"""Where pip takes packages from, and whether they are there."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from install.environment import Environment, clean_environ
from install.packages.pip import pip_command

# The folder in which each build of PyTorch has an index of its own; a mirror can take its place.
PYTORCH = "https://download.pytorch.org/whl"
VARIABLE = "DREAMLAYER_TORCH_INDEX"
PATIENCE = 60.0  # seconds for one question, with pip's start and its second attempt
CONNECT = ("--timeout", "8", "--retries", "1")


@dataclass(frozen=True)
class PackageSource:
    """Where pip looks for packages: by default where it is told to look on this computer."""

    options: tuple[str, ...] = ()  # for installing
    question: tuple[str, ...] = ()  # for asking this source alone
    folder: Path | None = None  # the one folder, if pip looks nowhere else


def of_pytorch(build: str) -> PackageSource:
    """PyTorch's own index for a build, besides where pip is told to look."""
    address = f"{(os.environ.get(VARIABLE) or PYTORCH).rstrip('/')}/{build}"
    return PackageSource(("--extra-index-url", address), ("--index-url", address))


def of_folder(folder: Path) -> PackageSource:
    """A folder with wheels, and nothing else."""
    options = ("--no-index", "--find-links", str(folder))
    return PackageSource(options, options, folder)


def offers(environment: Environment, source: PackageSource, requirements: Iterable[str]) -> bool:
    """Whether a source can be reached and has these packages for the environment's Python.

    pip asks, so its proxy, certificates and so on are obeyed.

    Args:
        requirements: with their local versions, e.g. torch==2.13.0+cpu
    """
    return all(_has(environment, source, requirement) for requirement in requirements)


def _has(environment: Environment, source: PackageSource, requirement: str) -> bool:
    name, _, version = requirement.partition("==")
    options = ["--disable-pip-version-check", "--no-input", *CONNECT]
    environ = clean_environ()
    with tempfile.TemporaryDirectory() as nothing:
        if source.question:  # pip's other sources are left out
            environ["PIP_FIND_LINKS"] = nothing
            environ["PIP_EXTRA_INDEX_URL"] = Path(nothing).resolve().as_uri()
        try:
            done = subprocess.run(
                [*pip_command(environment), *options, "index", "versions", name, *source.question],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environ,
                cwd=environment.folder,  # not the current folder, from which Python would import
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    words = re.split(r"[\s,()]+", done.stdout.decode(errors="replace"))
    return done.returncode == 0 and version in words
