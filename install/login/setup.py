"""Sets up, shows and removes what starts the daemon, on every system."""

from __future__ import annotations

from install.errors import InstallError
from install.hosts.places import Machine
from install.login import choice, linux, macos, windows
from install.login.choice import StartPlan
from install.own import Own

ON_DEMAND = "Start: on demand, by the program that needs the daemon"


def arrange(own: Own, machine: Machine, asked: bool | None) -> list[str]:
    """Set up what starts the daemon, and print what the user gets.

    `asked` is what the user chose now; None keeps what was chosen before. Returns problems, as
    sentences: nothing here keeps Dreamlayer from working otherwise.
    """
    if asked is not None:
        choice.write(own, asked)
    plan = choice.plan(own, machine, choice.read(own))
    try:
        said = _arrange(plan, machine)
    except InstallError as error:
        return [str(error)]
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return [
            f"The daemon's start can't be set up{where}: {error.strerror or error}. Programs start"
            " it on demand all the same, except for those in a Flatpak or Snap."
        ]
    if said:
        print(said, flush=True)
    return []


def remove(machine: Machine) -> bool:
    """Remove all that `arrange` set up; returns whether there was anything."""
    if machine.platform == "win32":
        return windows.remove()
    if machine.platform == "darwin":
        return macos.remove(machine)
    return linux.remove(machine)


def state(own: Own, machine: Machine) -> tuple[bool, str]:
    """Whether what starts the daemon is in order, and a sentence about it."""
    plan = choice.plan(own, machine, choice.read(own))
    if not plan.at_login and not plan.wishes:
        return True, ON_DEMAND
    try:
        good, sentence = _state(plan, machine)
    except InstallError as error:
        good, sentence = False, str(error)
    return good, f"Start: {sentence}"


def _arrange(plan: StartPlan, machine: Machine) -> str:
    if machine.platform == "win32":
        return windows.arrange(plan)
    if machine.platform == "darwin":
        return macos.arrange(plan, machine)
    return linux.arrange(plan, machine)


def _state(plan: StartPlan, machine: Machine) -> tuple[bool, str]:
    if machine.platform == "win32":
        return windows.state(plan)
    if machine.platform == "darwin":
        return macos.state(plan, machine)
    return linux.state(plan, machine)
