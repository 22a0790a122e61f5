"""The systems that archives are made for, and the wheels that each of them gets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from install.errors import InstallError

NATIVE = "native"  # the target of a wheel for this computer, as its own compiler makes it


@dataclass(frozen=True)
class TargetSystem:
    """A system with archives of its own."""

    name: str  # in the archives' names
    targets: tuple[str, ...]  # the tags of its wheels
    uv: str  # the platform of uv's wheel
    script: str  # the start script at the archive's root
    platform: str  # sys.platform there

    @property
    def uv_program(self) -> str:
        return "uv.exe" if self.platform == "win32" else "uv"


SYSTEMS = (
    TargetSystem("windows", ("win_amd64",), "win_amd64", "Install-Windows.cmd", "win32"),
    TargetSystem(
        "macos", ("macosx_11_0_arm64",), "macosx_11_0_arm64", "Install-macOS.command", "darwin"
    ),
    TargetSystem(
        "linux",
        ("manylinux_2_17_x86_64", "manylinux_2_17_aarch64"),
        "manylinux_2_17_x86_64",
        "install.sh",
        "linux",
    ),
)
TARGETS = tuple(target for system in SYSTEMS for target in system.targets)


def wanted(targets: Sequence[str]) -> dict[TargetSystem, tuple[str, ...]]:
    """The systems that get archives, each with the targets of its wheels.

    Raises:
        InstallError: a target that there is not.
    """
    unknown = [target for target in targets if target not in (NATIVE, *TARGETS)]
    if unknown or not targets:
        raise InstallError(
            f"There is no target {', '.join(unknown) or 'named'}: choose from {NATIVE},"
            f" {', '.join(TARGETS)}, with commas between them."
        )
    found = {}
    for system in SYSTEMS:
        own = tuple(target for target in system.targets if target in targets)
        if NATIVE in targets and sys.platform == system.platform:
            own = (NATIVE, *own)
        if own:
            found[system] = own
    return found
