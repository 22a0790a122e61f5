"""The user's choice, remembered in Dreamlayer's folder, and what follows from it for this computer.

The daemon is started on demand, by the program that needs it. Two cases need more: the user wants
it at each login, or a host runs in a sandbox, from which no program can be started.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dreamlink.client import private_files, wish
from install.hosts import places
from install.hosts.places import Machine
from install.own import Own


@dataclass(frozen=True)
class StartPlan:
    """What shall start the daemon, and how.

    Attributes:
        python: the daemon's Python.
        arguments: what that is called with.
        chosen_home: Dreamlayer's folder if DREAMLAYER_HOME names it. Neither the login nor systemd
            knows the variables of a terminal.
        at_login: what the user chose; None: nothing, which means on demand.
        wishes: files that start the daemon when they appear; empty if no host is in a sandbox.
    """

    python: Path
    arguments: tuple[str, ...]
    chosen_home: Path | None = None
    at_login: bool | None = None
    wishes: tuple[Path, ...] = ()


def plan(own: Own, machine: Machine, at_login: bool | None) -> StartPlan:
    """The plan for this user and computer."""
    chosen = own.home if machine.environ.get("DREAMLAYER_HOME") else None
    wishes = tuple(wish.watched()) if places.has_sandboxed_host(machine) else ()
    arguments = tuple(own.start_command[1:])
    return StartPlan(own.environment.python, arguments, chosen, at_login, wishes)


def read(own: Own) -> bool | None:
    """Whether the user wants the daemon at login; None if they never said."""
    try:
        at_login = json.loads(private_files.read(own.start_record))["at_login"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return at_login if isinstance(at_login, bool) else None


def write(own: Own, at_login: bool) -> None:
    """Remember what the user wants."""
    private_files.write(own.start_record, json.dumps({"at_login": at_login}))
