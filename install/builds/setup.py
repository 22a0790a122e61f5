"""Brings Dreamlayer's environment up to date, with the build of PyTorch that fits.

The build is fetched from PyTorch's own index, the rest from where pip is told to look. If that
index does not have it or can't be reached, PyTorch comes from there, too, in whatever build; this
is remembered, and only tried again if the user asks by --device or the computer has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from install.builds import index, packages, proof, record
from install.builds.cards import Computer
from install.builds.choice import BuildChoice, choose
from install.builds.record import TorchRecord
from install.builds.table import CPU, GB, TorchBuild, general
from install.environment import build, check_space, make, pip_install
from install.own import Own, stop_daemon


@dataclass(frozen=True)
class Setback:
    """Why something else than wanted was installed, and what the user can do; "" if all is well."""

    problem: str = ""
    advice: str = ""


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

    @property
    def requirements(self) -> list[str]:
        return packages.requirements(self.checkout)

    @property
    def installed(self) -> str:
        return packages.version(self.own.environment)

    @property
    def is_of_the_pinned_version(self) -> bool:
        return f"torch=={self.installed.partition('+')[0]}" in self.requirements

    @property
    def installed_build(self) -> str:
        """The name of the installed build."""
        own = general(self.computer.system, self.computer.processor).name
        return self.installed.partition("+")[2] or own

    @property
    def has_build(self) -> bool:
        """Whether the build that fits is installed."""
        return self.is_of_the_pinned_version and self.installed_build == self.choice.build.name

    @property
    def is_settled(self) -> bool:
        """Whether PyTorch stays as it is."""
        return (
            self.is_of_the_pinned_version
            and self.record.got == self.installed
            and self.record.wanted == self.choice.build.name
            and self.record.cards == tuple(self.computer.summary)
            and not (self.insists and (self.record.problem or not self.has_build))
        )

    @property
    def is_carried_out(self) -> bool:
        """Whether nothing is left to do."""
        return self.own.environment.is_current(self.checkout) and self.is_settled


def plan(checkout: Path, own: Own, computer: Computer, asked: str | None = None) -> SetupPlan:
    """Choose the build for a computer; `asked` is the device that the user named in this run.

    Raises:
        InstallError: PyTorch has no build for this computer.
    """
    before = record.read(own)
    device = asked or before.device
    return SetupPlan(
        checkout, own, computer, before, device, choose(computer, device), asked is not None
    )


def carry_out(planned: SetupPlan) -> bool:
    """Do what is left to do; returns whether that was nothing.

    Raises:
        InstallError: with what to do.
    """
    own = planned.own
    if planned.is_settled and planned.record.device != planned.device:  # the same build for both
        record.write(own, replace(planned.record, device=planned.device))
    if planned.is_carried_out:
        return True
    stop_daemon(own.environment)
    own.pip_log.unlink(missing_ok=True)
    if planned.is_settled:
        build(own.environment, planned.checkout, own.pip_log)
        return False
    setback = _install(planned)
    if planned.has_build:
        setback = _prove(planned)
    _remember(planned, setback)
    return False


def _install(planned: SetupPlan) -> Setback:
    """Install PyTorch and what else is missing.

    PyTorch comes first: what is then installed is content with every build of its version.
    """
    environment, wanted = planned.own.environment, planned.choice.build
    setback = Setback()
    if not planned.has_build:
        _announce(planned)
        smaller = ", or add --device cpu, which needs less" if wanted.device else ""
        check_space(environment.folder.parent, *wanted.size(planned.computer.system), smaller)
        make(environment)
        packages.remove_broken(environment)
        if wanted.is_in_pytorchs_index and not _fetch(planned, wanted):
            setback = _from_elsewhere(planned)
    if not environment.is_current(planned.checkout) or not planned.is_of_the_pinned_version:
        build(environment, planned.checkout, planned.own.pip_log)
    return setback


def _announce(planned: SetupPlan) -> None:
    print(planned.choice.sentence(planned.computer.system), flush=True)
    if planned.choice.advice:
        print(f"  {planned.choice.advice}", flush=True)


def _fetch(planned: SetupPlan, wanted: TorchBuild) -> bool:
    """Install a build from PyTorch's index with what it requires; False if it is not there."""
    environment = planned.own.environment
    pins = planned.requirements
    pinned = [wanted.pinned(pin) for pin in pins if pin.partition("==")[0] in packages.PYTORCH]
    others = [pin for pin in pins if pin.partition("==")[0] not in packages.PYTORCH]
    if not index.offers(environment, wanted, pinned):
        return False
    before = packages.brought_by_pytorch(environment)
    source = ("--extra-index-url", index.address(wanted))
    pip_install(environment, planned.own.pip_log, *source, *pinned, *others)
    packages.remove_leftovers(environment, before)
    return True


def _from_elsewhere(planned: SetupPlan) -> Setback:
    """Say that PyTorch is taken from where pip is told to look."""
    wanted, system = planned.choice.build, planned.computer.system
    problem = (
        f"PyTorch's own index can't be reached, or does not have the build {wanted.name}"
        " for this Python"
    )
    if planned.is_of_the_pinned_version:
        print(f"{problem}: keeping PyTorch {planned.installed}", flush=True)
    else:
        fetched, _ = general(system, planned.computer.processor).size(system)
        print(
            f"{problem}: taking PyTorch from where pip finds it (up to {fetched / GB:.1f} GB)",
            flush=True,
        )
    if not wanted.device:
        return Setback(problem)  # every build can use the processor
    again = f"Go online, then run install.py --device {planned.device} to try it again."
    return Setback(problem, again)


def _prove(planned: SetupPlan) -> Setback:
    """Compute a sum on the card; if that fails, change to the processor's build and say why."""
    wanted = planned.choice.build
    failure = proof.failure(planned.own.environment, wanted)
    if not failure:
        return Setback()
    problem = f"{wanted.title} does not work with the graphics here ({failure})"
    if not wanted.is_in_pytorchs_index:
        print(f"{problem}: dreams use the processor", flush=True)
    else:
        print(f"{problem}: changing to {CPU.title}", flush=True)
        if not _fetch(planned, CPU):
            print("  That can't be had now. The other one uses the processor, too.", flush=True)
    again = f"run install.py --device {planned.device} to try it again."
    return Setback(problem, f"Update the graphics driver, restart the computer, then {again}")


def _remember(planned: SetupPlan, setback: Setback) -> None:
    new = TorchRecord(
        device=planned.device,
        wanted=planned.choice.build.name,
        got=planned.installed,
        cards=tuple(planned.computer.summary),
        problem=setback.problem,
        advice=setback.advice or planned.choice.advice,
    )
    record.write(planned.own, new)
