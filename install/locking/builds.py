"""The lock files of PyTorch's builds, one a build, for the systems and Pythons it is locked on.

A wheel of PyTorch's own index is named by a local version, e.g. 2.13.0+cu126, and its hash is in
pytorch.json. Where the general package index has the same build, its wheel is taken instead, whose
hash that index vouches for: Windows's there is the processor's, and Linux's is CUDA 13's. What
Dreamlayer has of torchvision are definitions of networks, so its plain wheel goes with every build:
there are no public hashes of Windows's others, and without PyTorch's index a copy of torch's wheel
is enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from install.locking.pins import LOCKED, Pin
from install.locking.targets import SYSTEMS, TARGETS, LockTarget, System

SOURCES = 2  # independent ones that must agree on a hash
TORCH = ("torch", "torchvision")
ANY_BUILD = ("torchvision",)  # the general index's wheel will do with PyTorch's other builds
LINUX, WINDOWS = "sys_platform == 'linux'", "sys_platform == 'win32'"
GENERAL = "pypi"
GENERAL_ON_LINUX = "cu130"  # the build that it is there
# Where a build takes which package from the general index, and whether it has what it needs there.
FROM_GENERAL: Mapping[str, Mapping[str, Sequence[str]]] = {
    "cpu": {WINDOWS: TORCH},
    GENERAL_ON_LINUX: {LINUX: TORCH, WINDOWS: ("torchvision",)},
    "cu126": {WINDOWS: ("torchvision",)},
}


@dataclass(frozen=True)
class Harvest:
    """What is known of a build in PyTorch's index."""

    name: str
    requires: Sequence[str]  # what only this build needs, as requirements
    hashes: Mapping[str, str]  # by the wheel's name, those with enough sources

    def wheels(self, package: str, target: LockTarget) -> list[str]:
        """The hashes of the wheels of a package for a system and Python."""
        start = f"{package}-"
        return [
            digits
            for name, digits in self.hashes.items()
            if name.startswith(start) and _fits(name, target)
        ]


def _fits(wheel: str, target: LockTarget) -> bool:
    _, _, python, abi, platform = wheel.removesuffix(".whl").split("-")
    tags = set(platform.split("."))
    return python == abi == target.tag and not tags.isdisjoint(target.system.tags)


def harvests() -> list[Harvest]:
    """What pytorch.json has."""
    data = json.loads((LOCKED / "pytorch.json").read_text(encoding="utf-8"))
    return [
        Harvest(
            name,
            build["requires"],
            {
                wheel: entry["sha256"]
                for wheel, entry in build["files"].items()
                if entry["sources"] >= SOURCES
            },
        )
        for name, build in data["builds"].items()
    ]


def pins_of(harvest: Harvest, general: Mapping[str, Pin]) -> list[Pin]:
    """The pins of torch and torchvision of a build.

    Args:
        general: the two packages as the general index has them
    """
    pins = []
    for package in TORCH:
        plain = general[package]
        for system_marker in (LINUX, WINDOWS):
            if package in FROM_GENERAL.get(harvest.name, {}).get(system_marker, ()):
                pins.append(replace(plain, marker=system_marker, equals="==="))
                continue
            targets = [target for target in TARGETS if target.meets(system_marker)]
            hashes = {digits for target in targets for digits in harvest.wheels(package, target)}
            if not hashes:
                continue
            version = f"{plain.version}+{harvest.name}"
            if package in ANY_BUILD:
                version, hashes = plain.version, hashes | set(plain.hashes)
            pins.append(Pin(package, version, system_marker, tuple(sorted(hashes))))
    return pins


def coverage(harvest: Harvest) -> dict[str, list[str]]:
    """The Pythons for which a build is pinned with hashes, by system."""
    return {
        system.name: [
            target.python
            for target in TARGETS
            if target.system == system and _is_covered(harvest, target)
        ]
        for system in SYSTEMS
    }


def _is_covered(harvest: Harvest, target: LockTarget) -> bool:
    return all(
        harvest.wheels(package, target) or _is_general(harvest.name, package, target.system)
        for package in TORCH
    )


def _is_general(build: str, package: str, system: System) -> bool:
    return any(
        package in packages and LockTarget(system, "3.12").meets(marker)
        for marker, packages in FROM_GENERAL.get(build, {}).items()
    )
