"""Dreamlayer's wheels, one a system, and its source archive."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from install.archives.packing import write_folder
from install.archives.sources import Sources
from install.archives.systems import NATIVE
from install.archives.tools import Tools
from install.environment import clean_environ
from install.errors import InstallError

KERNEL_TARGET = "DREAMLAYER_KERNEL_TARGET"  # obeyed by daemon/kernels/hatch_build.py


@dataclass(frozen=True)
class Builder:
    """Builds from a copy of the sources, with hatchling."""

    tools: Tools
    tree: Path
    seconds: int

    @classmethod
    def of(cls, sources: Sources, tools: Tools, tree: Path) -> Builder:
        """A builder whose copy of the sources is the new folder `tree`."""
        write_folder(tree, sources.files)
        return cls(tools, tree, sources.seconds)

    def wheel(self, target: str, folder: Path) -> Path:
        """Build the wheel for a target, into a folder of its own.

        Raises:
            InstallError: it can't be built, or is not for that target.
        """
        place = folder / target
        self._hatchling("wheel", place, {} if target == NATIVE else {KERNEL_TARGET: target})
        (wheel,) = place.glob("*.whl")
        if target != NATIVE and target not in platforms(wheel):
            raise InstallError(
                f"The wheel for {target} came out as {wheel.name}: its kernel was not compiled for"
                " that system. The reason is above."
            )
        return wheel

    def source_archive(self, folder: Path) -> Path:
        """Build the source archive; raises InstallError."""
        place = folder / "sdist"
        self._hatchling("sdist", place, {})
        (archive,) = place.glob("*.tar.gz")
        return archive

    def _hatchling(self, kind: str, place: Path, changes: dict[str, str]) -> None:
        place.mkdir(parents=True)
        python = str(self.tools.environment.python)
        command = [python, "-I", "-m", "hatchling", "build", "-t", kind, "-d", str(place)]
        environ = clean_environ() | {"SOURCE_DATE_EPOCH": str(self.seconds)} | changes
        if subprocess.call(command, env=environ, cwd=self.tree):
            raise InstallError(f"The {kind} could not be built: the reason is above.")


def platforms(wheel: Path) -> list[str]:
    """The platforms that a wheel's name says it is for."""
    return wheel.stem.rpartition("-")[2].split(".")
