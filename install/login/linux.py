"""Linux: systemd's units, or without systemd the desktop's autostart entry.

The entry starts the daemon itself. A program that waits for wishes instead would be a second one
to keep running, no smaller than the daemon before its first dream.
"""

from __future__ import annotations

import os
from pathlib import Path

from dreamlink.client import private_files
from install.errors import InstallError
from install.hosts.places import Machine
from install.login import entry, units
from install.login.choice import StartPlan
from install.login.systemd import UserManager
from install.login.units import MARK, PATH, SERVICE

SANDBOXES = "Krita or GIMP in a Flatpak or Snap"
AGAIN = "run install.py again."


def arrange(plan: StartPlan, machine: Machine) -> str:
    """Set up what the plan asks for; returns what the user gets, "" if only the usual.

    Raises:
        InstallError: a file or folder there is not ours, or a path can't be written into a unit.
        OSError: a file can't be written.
    """
    manager = UserManager(machine)
    if not plan.at_login and not plan.wishes:
        removed = _remove_units(manager) | _delete(_entry(machine))  # a daemon that runs may go on
        return "The daemon is no longer started at login" if removed else ""
    if manager.is_there:
        said = _arrange_units(plan, manager)
        if said is not None:
            _delete(_entry(machine))
            return said
    _remove_units(manager)
    if plan.at_login is False:
        _delete(_entry(machine))
        return (
            f"There is no systemd here, and you chose no autostart: for {SANDBOXES}, run"
            " `dreamlayer serve` in a terminal after each login"
        )
    _write(_entry(machine), entry.text(plan))
    why = "" if plan.at_login else f", for {SANDBOXES}: systemd can't start it on demand here"
    return f"The daemon starts at each login, from the next one on{why}"


def remove(machine: Machine) -> bool:
    """Stop and remove units and entry; returns whether there was anything."""
    manager = UserManager(machine)
    if _is_ours(manager.folder / SERVICE):
        manager.stop(PATH, SERVICE)
    return _remove_units(manager) | _delete(_entry(machine))


def state(plan: StartPlan, machine: Machine) -> tuple[bool, str]:
    """Whether what the plan asks for is set up, and a sentence about it; raises InstallError."""
    manager = UserManager(machine)
    wanted = _texts(plan)
    if _has(_entry(machine), entry.text(plan)):
        return True, f"at login, by {_entry(machine)}"
    if not manager.is_there and plan.at_login is False:
        return True, f"on demand; for {SANDBOXES}, only by `dreamlayer serve`"
    for name, text in wanted.items():
        if not _has(manager.folder / name, text):
            return False, f"{manager.folder / name} is missing or not up to date: {AGAIN}"
    if plan.at_login and not manager.is_enabled(SERVICE):
        return False, f"{SERVICE} is not enabled, so the daemon does not start at login: {AGAIN}"
    running = manager.is_running()
    if plan.wishes and not (manager.is_active(PATH) if running else manager.is_enabled(PATH)):
        return False, f"{PATH} does not run, so {SANDBOXES} can't start the daemon: {AGAIN}"
    first = "at login" if plan.at_login else "on demand"
    return True, f"{first}, by systemd" + (f"; also for {SANDBOXES}" if plan.wishes else "")


def _arrange_units(plan: StartPlan, manager: UserManager) -> str | None:
    """Write and enable the units; returns what the user gets, None if systemd refuses."""
    texts = _texts(plan)
    for name in (PATH, SERVICE):
        if name in texts:
            _write(manager.folder / name, texts[name])
    if PATH not in texts:
        _remove_units(manager, PATH)
    runs = manager.reload()
    if PATH in texts and not manager.enable(PATH, True):
        return None
    if not manager.enable(SERVICE, bool(plan.at_login)) and plan.at_login:
        return None
    watching = manager.watch() if plan.wishes and runs else False
    said = []
    if plan.at_login:
        said.append("The daemon starts at each login")
    if plan.wishes:
        since = "" if watching else ", from your next login on"
        said.append(f"{SANDBOXES} can start the daemon, through systemd{since}")
    return "\n".join(said)


def _texts(plan: StartPlan) -> dict[str, str]:
    """The units that the plan asks for."""
    texts = {SERVICE: units.service(plan)}
    return texts | ({PATH: units.path(plan)} if plan.wishes else {})


def _remove_units(manager: UserManager, *names: str) -> bool:
    """Disable and delete our units, by default both; returns whether there were any."""
    ours = [name for name in names or (PATH, SERVICE) if _is_ours(manager.folder / name)]
    if not ours:
        return False
    for name in ours:
        if name == PATH:
            manager.stop(PATH)
        manager.enable(name, False)
        manager.wants(name).unlink(missing_ok=True)  # where systemctl is gone
        _delete(manager.folder / name)
    manager.reload()
    return True


def _entry(machine: Machine) -> Path:
    return machine.folder("XDG_CONFIG_HOME", ".config") / "autostart" / entry.NAME


def _is_ours(path: Path) -> bool:
    """Whether a file was written here. An empty one masks a unit, so it is the user's."""
    try:
        return path.read_bytes().startswith(MARK.encode())
    except OSError:
        return False


def _has(path: Path, text: str) -> bool:
    return _is_ours(path) and path.read_bytes() == text.encode()


def _write(path: Path, text: str) -> None:
    """Write a file of ours, in a folder in which nobody else can write."""
    if os.path.lexists(path) and not _is_ours(path):
        raise InstallError(
            f"{path} is not Dreamlayer's, so it stays as it is, and the daemon's start is not set"
            " up: rename it, then run install.py again."
        )
    if not _has(path, text):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(path.parent)
        private_files.write(path, text)


def _check_folder(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o002:
        raise InstallError(
            f"{folder} can be written by other users, who could have programs started there:"
            f" close it to them (chmod go-w), then {AGAIN}"
        )


def _delete(path: Path) -> bool:
    """Delete a file if it is ours; returns whether it was there."""
    ours = _is_ours(path)
    if ours:
        path.unlink()
    return ours
