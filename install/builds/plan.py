"""What is to be installed, and what is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from install.builds import record
from install.builds.cards import Computer
from install.builds.choice import BuildChoice, choose
from install.builds.record import TorchRecord
from install.builds.table import TorchBuild, general
from install.environment import Environment
from install.own import Own
from install.packages import installed, locks, project
from install.packages.sources import PackageSource


@dataclass(frozen=True)
class SetupPlan:
    """What is to be installed, and what is there."""

    checkout: Path
    own: Own
    computer: Computer
    record: TorchRecord  # of the run before this one
    device: str
    choice: BuildChoice
    insists: bool  # the user named the device in this run
    source: PackageSource = field(default_factory=PackageSource)  # of all but PyTorch's own index

    @property
    def environment(self) -> Environment:
        return self.own.environment

    @property
    def requirements(self) -> list[str]:
        """The libraries that the project pins."""
        return installed.requirements(self.checkout)

    @property
    def installed(self) -> str:
        """The version of PyTorch that is installed."""
        return installed.version(self.environment)

    @property
    def is_of_the_pinned_version(self) -> bool:
        return f"torch=={self.installed.partition('+')[0]}" in self.requirements

    @property
    def general(self) -> TorchBuild:
        """The build that the general package index has for this system."""
        return general(self.computer.system, self.computer.processor)

    @property
    def system(self) -> str:
        """The system with its processor, as the lists of packages call it; "" if unknown there."""
        return locks.SYSTEMS.get((self.computer.system, self.computer.processor), "")

    @property
    def has_build(self) -> bool:
        """Whether the build of PyTorch that fits is installed."""
        name = self.installed.partition("+")[2] or self.general.name
        return self.is_of_the_pinned_version and name == self.choice.build.pytorch.name

    @property
    def runtime(self) -> list[str]:
        """The packages of ONNX Runtime that the build that fits has beside PyTorch."""
        return installed.runtime(self.checkout) if self.choice.build.beside else []

    @property
    def has_runtime(self) -> bool:
        """Whether these are installed."""
        return installed.has(self.environment, self.runtime)

    @property
    def is_settled(self) -> bool:
        """Whether PyTorch stays as it is."""
        return (
            self.is_of_the_pinned_version
            and self.record.got == self.installed
            and self.record.wanted == self.choice.build.name
            and self.record.cards == tuple(self.computer.summary)
            and (self.has_runtime or bool(self.record.problem))
            and not (self.insists and (self.record.problem or not self.has_build))
        )

    @property
    def is_carried_out(self) -> bool:
        """Whether nothing is left to do."""
        return project.is_current(self.environment, self.checkout) and self.is_settled


def plan(
    checkout: Path,
    own: Own,
    computer: Computer,
    asked: str | None = None,
    source: PackageSource | None = None,
) -> SetupPlan:
    """Choose the build for a computer.

    Args:
        asked: the device that the user named in this run.
        source: where packages come from; by default from where pip is told to look.

    Raises:
        InstallError: PyTorch has no build for this computer.
    """
    before = record.read(own)
    device = asked or before.device
    return SetupPlan(
        checkout, own, computer, before, device, choose(computer, device), asked is not None,
        source or PackageSource(),
    )  # fmt: skip
