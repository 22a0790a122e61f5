"""Fetches PyTorch: from its own index, from where pip is told to look, or from a folder.

The general package index has one build a system; all others are in PyTorch's own index only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from install.builds.plan import SetupPlan
from install.builds.table import CPU, TorchBuild
from install.errors import InstallError
from install.packages import installed, locks, sources
from install.packages.installed import PYTORCH
from install.packages.pip import pip_install
from install.packages.sources import PackageSource


@dataclass(frozen=True)
class Fetch:
    """One way to get PyTorch."""

    build: str  # the name of its list of packages
    pins: tuple[str, ...]  # e.g. torch==2.13.0+cpu
    source: PackageSource


def fetch(planned: SetupPlan, build: TorchBuild) -> bool:
    """Install a build with what it requires, from where it should come; False if it is not there.

    Raises:
        InstallError: it is there, but pip failed.
    """
    build = build.pytorch
    if build == planned.general:
        way = Fetch(locks.GENERAL, _pins(planned), planned.source)
    else:
        source = planned.source if planned.source.folder else sources.of_pytorch(build.name)
        way = Fetch(build.name, _pins(planned, build), source)
    if not sources.offers(planned.environment, way.source, way.pins):
        return False
    _install(planned, way)
    return True


def fetch_runtime(planned: SetupPlan) -> bool:
    """Install ONNX Runtime with what it requires; False if it is not there for this Python.

    Raises:
        InstallError: it is there, but pip failed.
    """
    if not sources.offers(planned.environment, planned.source, planned.runtime):
        return False
    locked = locks.options(planned.checkout, "libraries", "webgpu")
    pip_install(planned.environment, planned.own.pip_log, *planned.source.options, *locked)
    return True


def fetch_other(planned: SetupPlan) -> None:
    """Install some build of the pinned version, from where the other libraries come from.

    Raises:
        InstallError: there is none, or pip failed.
    """
    ways = list(_other_ways(planned))
    for way in ways:
        if sources.offers(planned.environment, way.source, way.pins[:1]):
            _install(planned, way)
            return
    if planned.source.folder:
        raise InstallError(
            f"The folder {planned.source.folder} has no PyTorch for this Python and system: fill it"
            " with install/build.py --wheelhouse on a computer with the same system and the same"
            " version of Python, then run install.py again."
        )
    _install(planned, ways[-1])  # pip then says why it can't be had


def _other_ways(planned: SetupPlan) -> Iterator[Fetch]:
    # PyTorch decides what is computed with; torchvision may be of another build.
    torch, *others = _pins(planned)
    yield Fetch(CPU.name, (CPU.pinned(torch), *others), planned.source)
    yield Fetch(locks.GENERAL, _pins(planned), planned.source)


def _pins(planned: SetupPlan, build: TorchBuild | None = None) -> tuple[str, ...]:
    pins = [pin for pin in planned.requirements if pin.partition("==")[0] in PYTORCH]
    return tuple(build.pinned(pin) if build else pin for pin in pins)


def _install(planned: SetupPlan, way: Fetch) -> None:
    environment, log = planned.environment, planned.own.pip_log
    before = installed.brought_by_pytorch(environment)
    if way.build == locks.GENERAL and "+" in planned.installed:
        installed.remove_pytorch(environment)  # pip would be content with it
    if locks.has_build(planned.checkout, way.build, planned.system, environment.version):
        locked = locks.options(planned.checkout, "libraries", locks.of_build(way.build))
        pip_install(environment, log, *way.source.options, *locked)
    else:
        locked = locks.options(planned.checkout, "libraries")
        pip_install(environment, log, *planned.source.options, *locked)
        pip_install(environment, log, *way.source.options, *way.pins)
    installed.remove_leftovers(environment, before)
