"""A folder with all packages that an installation without network needs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from install.archives.tools import Tools
from install.builds import probes
from install.builds.cards import PROCESSORS
from install.builds.table import TorchBuild, general
from install.errors import InstallError
from install.packages import installed, locks, sources


def fill(folder: Path, checkout: Path, wheel: Path, tools: Tools, build: TorchBuild) -> None:
    """Put Dreamlayer's wheel, and what it requires on this system, into the folder.

    Args:
        wheel: Dreamlayer's own, for this system.
        build: of PyTorch; where its own index can't be reached, pip's sources may have it.

    Raises:
        InstallError: a package can't be fetched, or there are no hashes for this build.
    """
    processor = PROCESSORS.get(probes.architecture(), "other")
    system = locks.SYSTEMS.get((sys.platform, processor), "")
    runtime = ["webgpu"] if build.beside else []
    build = build.pytorch
    is_general = build == general(sys.platform, processor)
    name = locks.GENERAL if is_general else build.name
    if not locks.has_build(checkout, name, system, sys.version_info[:2]):
        raise InstallError(
            f"There is no list of packages for {build.title} with this Python and system: choose"
            " another --device, or run this with Python 3.10 to 3.14."
        )
    folder.mkdir(parents=True, exist_ok=True)
    locked = locks.options(checkout, "libraries", locks.of_build(name), "build", *runtime)
    options = [] if is_general else _source(checkout, tools, build)
    tools.pip("download", "--dest", str(folder.absolute()), *options, *locked)
    if not (folder / wheel.name).exists():
        shutil.copyfile(wheel, folder / wheel.name)


def _source(checkout: Path, tools: Tools, build: TorchBuild) -> list[str]:
    """The options for PyTorch's own index, if it can be reached."""
    pins = [pin for pin in installed.requirements(checkout) if pin.startswith("torch==")]
    source = sources.of_pytorch(build.name)
    is_there = sources.offers(tools.environment, source, [build.pinned(pin) for pin in pins])
    return list(source.options) if is_there else []
