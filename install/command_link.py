"""A link to the command `dreamlayer` in ~/.local/bin, if that folder is on PATH."""

from __future__ import annotations

import os
from pathlib import Path

from install.environment import Environment
from install.hosts.places import Machine


def link_command(environment: Environment, machine: Machine) -> Path | None:
    """Link ~/.local/bin/dreamlayer to the command; None if that folder is not used.

    Another program of that name is left alone.
    """
    link = _place(machine)
    on_path = machine.environ.get("PATH", "").split(os.pathsep)
    if os.name == "nt" or not link.parent.is_dir() or str(link.parent) not in on_path:
        return None
    if os.path.lexists(link) and not _is_ours(link, environment):
        return None
    try:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(environment.script)
    except OSError:
        return None  # only a convenience: the command also works by its full path
    return link


def unlink_command(environment: Environment, machine: Machine) -> bool:
    """Remove our link; returns whether there was one."""
    link = _place(machine)
    ours = _is_ours(link, environment)
    if ours:
        link.unlink()
    return ours


def _place(machine: Machine) -> Path:
    return machine.home / ".local" / "bin" / "dreamlayer"


def _is_ours(link: Path, environment: Environment) -> bool:
    return link.is_symlink() and link.readlink() == environment.script
