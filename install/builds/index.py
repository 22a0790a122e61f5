"""PyTorch's own package index, which has every build of it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from install.builds.table import TorchBuild
from install.environment import Environment, clean_environ, pip_command

# The folder in which each build has an index of its own; a mirror can be put in its place.
ADDRESS = "https://download.pytorch.org/whl"
VARIABLE = "DREAMLAYER_TORCH_INDEX"
PATIENCE = 60.0  # seconds for one question, with pip's start and its second attempt
CONNECT = ("--timeout", "8", "--retries", "1")


def address(build: TorchBuild) -> str:
    """The index of a build."""
    return f"{(os.environ.get(VARIABLE) or ADDRESS).rstrip('/')}/{build.name}"


def offers(environment: Environment, build: TorchBuild, requirements: Iterable[str]) -> bool:
    """Whether PyTorch's index can be reached and has these versions for the environment's Python.

    pip asks, so its proxy, certificates and so on are obeyed; its other sources are left out.

    Args:
        requirements: with their local versions, e.g. torch==2.13.0+cpu
    """
    with tempfile.TemporaryDirectory() as nothing:
        elsewhere = {
            "PIP_FIND_LINKS": nothing,
            "PIP_EXTRA_INDEX_URL": Path(nothing).resolve().as_uri(),
        }
        return all(
            _has(environment, address(build), requirement, elsewhere)
            for requirement in requirements
        )


def _has(environment: Environment, url: str, requirement: str, changes: Mapping[str, str]) -> bool:
    name, _, version = requirement.partition("==")
    options = ["--disable-pip-version-check", "--no-input", *CONNECT]
    question = ["index", "versions", name, "--index-url", url]
    try:
        done = subprocess.run(
            [*pip_command(environment), *options, *question],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environ() | dict(changes),
            cwd=environment.folder,  # not the current folder, from which Python would import
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    words = re.split(r"[\s,()]+", done.stdout.decode(errors="replace"))
    return done.returncode == 0 and version in words
