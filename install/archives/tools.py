"""The environment in which wheels are built, and parts that come from other projects' wheels."""

from __future__ import annotations

import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from install.archives.packing import Files, PackedFile
from install.environment import Environment, clean_environ, make
from install.errors import InstallError
from install.packages.pip import pip_command

HERE = Path(__file__).parent
BUILDING = HERE.parent / "locked" / "build.txt"  # what builds wheels
CROSS = HERE / "cross.txt"  # what compiles the kernel for other systems
PARTS = HERE / "parts.txt"  # what goes into the archives
PARTS_PYTHON = "3.11"  # msgpack's wheels are each for a Python; their pure-Python part is the same


@dataclass(frozen=True)
class Tools:
    """An environment of build.py's own, with pinned packages."""

    environment: Environment

    @classmethod
    def prepare(cls, folder: Path, cross: bool) -> Tools:
        """Make the environment, or bring it up to date; `cross`: with a compiler for all systems.

        Raises:
            InstallError: with what to do.
        """
        tools = cls(Environment(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        make(tools.environment)
        for requirements in (BUILDING, CROSS) if cross else (BUILDING,):
            tools.pip("install", "--quiet", "--require-hashes", "-r", str(requirements))
        return tools

    def pip(self, *arguments: str) -> None:
        """Run pip; raises InstallError if it fails."""
        options = ["--disable-pip-version-check", "--no-input"]
        command = [*pip_command(self.environment), *options, *arguments]
        if subprocess.call(command, env=clean_environ(), cwd=self.environment.folder):
            raise InstallError("pip failed: the reason is above. Fix that, then run this again.")

    def part(self, name: str, platform: str) -> Files:
        """The contents of a pinned wheel of another project, for a platform.

        Raises:
            InstallError: it can't be fetched, or is not the one that is pinned.
        """
        lines = PARTS.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        pinned = [line for line in lines if line.startswith(f"{name}==")]
        with tempfile.TemporaryDirectory() as work:
            requirement = Path(work, "requirement.txt")
            requirement.write_text("\n".join(pinned), encoding="utf-8")
            asked = ["--platform", platform, "--python-version", PARTS_PYTHON]
            kind = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
            self.pip("download", "--quiet", *kind, *asked, "-d", work, "-r", str(requirement))
            (wheel,) = Path(work).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                return {
                    info.filename: PackedFile(archive.read(info))
                    for info in archive.infolist()
                    if not info.is_dir()
                }
