"""A folder with all packages that an installation without network needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from install.archives.tools import Tools
from install.builds import index
from install.builds.choice import AUTO
from install.builds.table import BUILDS
from install.errors import InstallError


def fill(folder: Path, wheel: Path, tools: Tools, python: str | None, device: str) -> None:
    """Put Dreamlayer's wheel, and what it requires on this system, into the folder.

    Args:
        wheel: Dreamlayer's own, for this system.
        python: the version of the Python that will be installed with, e.g. 3.11; None: this one's.
        device: PyTorch's build, as install.py's --device; "auto" is that of pip's own index.

    Raises:
        InstallError: a package can't be fetched, or there is no such build.
    """
    if device not in (AUTO, *BUILDS):
        raise InstallError(f"There is no build {device}: choose from {AUTO}, {', '.join(BUILDS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--only-binary=:all:", "--dest", str(folder.absolute())]
    if python:
        options += ["--python-version", python]
    if device != AUTO:
        options += ["--extra-index-url", index.address(BUILDS[device])]
    tools.pip("download", *options, str(wheel))
    if not (folder / wheel.name).exists():
        shutil.copyfile(wheel, folder / wheel.name)
