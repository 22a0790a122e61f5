"""Brings Dreamlayer's environment up to date, with the build of PyTorch that fits.

What is remembered of a run (`record.py`) says when there is nothing to do: a build that could not
be had, or failed on the card, is only tried again if the user asks by --device or the computer has
changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from install.builds import proof, record
from install.builds.fetching import fetch, fetch_other, fetch_runtime
from install.builds.plan import SetupPlan
from install.builds.record import TorchRecord
from install.builds.table import CPU, GB
from install.environment import make
from install.own import stop_daemon
from install.packages import installed, locks, project
from install.packages.disk_space import check_space
from install.packages.pip import forget_downloads, pip_install


@dataclass(frozen=True)
class Setback:
    """Why something else than wanted was installed, and what the user can do; "" if all is well."""

    problem: str = ""
    advice: str = ""


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
    if not (planned.has_build and planned.has_runtime):
        _announce(planned)
    make(own.environment)
    installed.remove_broken(own.environment)
    if not planned.is_settled:
        _remember(planned, _install_pytorch(planned))
    if not project.is_current(own.environment, planned.checkout):
        _install_dreamlayer(planned)
    forget_downloads(own.environment)
    return False


def _announce(planned: SetupPlan) -> None:
    """Say what will be fetched; raises InstallError if there is no room for it."""
    build, system = planned.choice.build, planned.computer.system
    print(planned.choice.sentence(system), flush=True)
    if planned.choice.advice:
        print(f"  {planned.choice.advice}", flush=True)
    smaller = ", or add --device cpu, which needs less" if build.device else ""
    check_space(planned.own.home, *build.size(system), smaller)


def _install_pytorch(planned: SetupPlan) -> Setback:
    setback = Setback()
    if not planned.has_build and not fetch(planned, planned.choice.build):
        setback = _take_another(planned)
    if planned.choice.build.beside:
        return _add_runtime(planned)
    installed.remove_runtime(planned.environment, planned.checkout)
    return _prove(planned) if planned.has_build else setback


def _add_runtime(planned: SetupPlan) -> Setback:
    """Install ONNX Runtime beside PyTorch, and prove that it can use the card."""
    if planned.has_runtime or fetch_runtime(planned):
        return _prove(planned)
    place = planned.source.folder or "The package index"
    problem = f"{place} can't be reached, or does not have ONNX Runtime for this Python"
    print(f"{problem}: dreams use the processor", flush=True)
    return Setback(problem, f"Go online, then run install.py --device {planned.device}.")


def _install_dreamlayer(planned: SetupPlan) -> None:
    """Install the libraries, of which PyTorch brought the most, and Dreamlayer itself."""
    environment, log = planned.environment, planned.own.pip_log
    print("Installing Dreamlayer and its libraries", flush=True)
    locked = locks.options(planned.checkout, "libraries")
    pip_install(environment, log, "--quiet", *planned.source.options, *locked)
    project.install_project(environment, planned.checkout, planned.source, log)


def _take_another(planned: SetupPlan) -> Setback:
    """Keep or install another build of the pinned version."""
    wanted = planned.choice.build
    if planned.source.folder:
        problem = f"{planned.source.folder} does not have the build {wanted.name} for this Python"
        again = "install without --offline"
    else:
        index = "the package index" if wanted == planned.general else "PyTorch's own index"
        problem = (
            f"{index[0].upper()}{index[1:]} can't be reached, or does not have the build"
            f" {wanted.name} for this Python"
        )
        again = f"go online, then run install.py --device {planned.device}"
    if planned.is_of_the_pinned_version:
        print(f"{problem}: keeping PyTorch {planned.installed}", flush=True)
    else:
        fetched, _ = planned.general.size(planned.computer.system)
        print(f"{problem}: taking another one (up to {fetched / GB:.1f} GB)", flush=True)
        fetch_other(planned)
    if not wanted.device:
        return Setback(problem)  # every build can use the processor
    return Setback(problem, f"{again[0].upper()}{again[1:]} to try it again.")


def _prove(planned: SetupPlan) -> Setback:
    """Compute a sum on the card; if that fails, change to the processor's build and say why."""
    wanted = planned.choice.build
    failure = proof.failure(planned.environment, wanted, planned.checkout)
    if not failure:
        return Setback()
    problem = f"{wanted.title} does not work with the graphics here ({failure})"
    if wanted.beside:
        installed.remove_runtime(planned.environment, planned.checkout)
    if wanted.beside or not wanted.is_in_pytorchs_index:
        print(f"{problem}: dreams use the processor", flush=True)
    else:
        print(f"{problem}: changing to {CPU.title}", flush=True)
        if not fetch(planned, CPU):
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
