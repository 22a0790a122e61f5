"""macOS: a launch agent, which launchd starts at login."""

from __future__ import annotations

import contextlib
import os
import plistlib
import subprocess
from pathlib import Path
from typing import Any

from dreamlink.client import private_files
from install.hosts.places import Machine
from install.login.choice import StartPlan

LABEL = "dreamlayer.daemon"
PATIENCE = 30.0  # seconds for launchctl


def arrange(plan: StartPlan, machine: Machine) -> str:
    """Write or remove the agent; returns what the user gets, "" if only the usual.

    Raises OSError: the file can't be written.
    """
    if not plan.at_login:
        # It stays loaded until the logout: to unload it would end a daemon that dreams.
        there = _file(machine).exists()
        _file(machine).unlink(missing_ok=True)
        return "The daemon is no longer started at login" if there else ""
    agent = _agent(plan)
    if _stored(machine) != agent:
        _file(machine).parent.mkdir(parents=True, exist_ok=True)
        private_files.write(_file(machine), plistlib.dumps(agent).decode())
        _launchctl(machine, "bootout", f"{_domain()}/{LABEL}")  # an older one
        _launchctl(machine, "bootstrap", _domain(), str(_file(machine)))  # else at the next login
    return "The daemon starts at each login"


def remove(machine: Machine) -> bool:
    """Unload and remove the agent; returns whether there was one."""
    if not _file(machine).exists():
        return False
    _launchctl(machine, "bootout", f"{_domain()}/{LABEL}")
    _file(machine).unlink()
    return True


def state(plan: StartPlan, machine: Machine) -> tuple[bool, str]:
    """Whether the agent is there as it should be, and a sentence about it."""
    if _stored(machine) == _agent(plan):
        return True, f"at login, by {_file(machine)}"
    return False, f"{_file(machine)} is missing or not up to date: run install.py again."


def _agent(plan: StartPlan) -> dict[str, Any]:
    variables = {"DREAMLAYER_HOME": str(plan.chosen_home)} if plan.chosen_home else {}
    return {
        "Label": LABEL,
        "ProgramArguments": [str(plan.python), *plan.arguments],
        "RunAtLoad": True,
        "WorkingDirectory": "/",
        "ProcessType": "Interactive",  # other agents get less of the processor
        "EnvironmentVariables": variables,
    }


def _stored(machine: Machine) -> Any:
    """What the file says; None if there is none."""
    try:
        return plistlib.loads(_file(machine).read_bytes())
    except (OSError, ValueError, plistlib.InvalidFileException):
        return None


def _file(machine: Machine) -> Path:
    return machine.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"


def _domain() -> str:
    return f"gui/{os.getuid()}"


def _launchctl(machine: Machine, *arguments: str) -> None:
    """Tell launchd at once. It refuses where nobody has logged in, and learns it at the login."""
    program = machine.program("launchctl")
    if program is None:
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
